// SPDX-License-Identifier: Apache-2.0

#include <bast/arch.hpp>
#include <cstddef>

namespace {

bast::arch::context host;
alignas(bast::arch::stack_alignment) std::byte stack[65536];

void enter(bast::arch::context* self) noexcept { bast::arch::switch_out_of_line(*self, host); }

}  // namespace

int main() {
  bast::arch::context fresh;
  bast::arch::prepare(fresh, stack + sizeof stack, enter);
  bast::arch::switch_context(host, fresh);
  return 0;
}
