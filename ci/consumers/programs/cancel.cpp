// SPDX-License-Identifier: Apache-2.0

#include <bast/cancel.hpp>

int main() {
  auto source = bast::cancel_source::create().value();
  int calls = 0;
  const bast::cancel_callback count(source.token(), [&calls]() noexcept { ++calls; });
  source.cancel();
  return calls == 1 ? 0 : 1;
}
