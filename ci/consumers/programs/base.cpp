// SPDX-License-Identifier: Apache-2.0

#include <bast/base.hpp>

int main() {
  const bast::error wrong{bast::errc::invalid, "consumer", "nothing"};
  return wrong.message().starts_with("consumer") ? 0 : 1;
}
