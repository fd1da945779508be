// SPDX-License-Identifier: Apache-2.0

#include <bast/watch.hpp>

int main() {
  if (!bast::watch::open_registry()) return 1;
  return bast::watch::registry() != nullptr ? 0 : 1;
}
