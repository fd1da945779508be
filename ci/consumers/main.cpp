// SPDX-License-Identifier: Apache-2.0
//
// The smallest program that uses bast. The three consumers in this folder all build it, and each of
// them finds the library in another way.

#include <bast/config.hpp>

#include <cstdio>

int main() {
  std::printf("bast %d.%d.%d\n", BAST_VERSION_MAJOR, BAST_VERSION_MINOR, BAST_VERSION_PATCH);
}
