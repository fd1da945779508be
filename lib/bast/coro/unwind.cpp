// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/unwind.hpp"

#include "bast/coro/pool_core.hpp"

#if BAST_EXCEPTIONS

namespace bast::internal {
namespace {

[[noreturn]] void end_for_swallowing(coro_block& block) noexcept {
  const char* const name = block.stack->name;
  pool_core* const home = chunk::of(block).owner;
  text diagnostic;
  diagnostic << "bast: coroutine '" << (name != nullptr ? name : "(unnamed)") << "', started at ";
  home->site_of(block).describe(diagnostic);
  diagnostic << ", swallows the unwinding of its release: it tried to suspend " << refusals_max
             << " times more. Its loop must end when this_coro::unwinding()\n";
  violation(diagnostic);
}

}  // namespace

void throw_forced_unwind() { throw forced_unwind(); }

void refuse_suspension(coro_block& unwinding) {
  // Nothing crosses a switch while it is unwound, so the word for that holds the count.
  const auto refused = reinterpret_cast<std::uintptr_t>(unwinding.transfer) + 1;
  unwinding.transfer = reinterpret_cast<void*>(refused);
  if (refused > refusals_max) [[unlikely]]
    end_for_swallowing(unwinding);
  throw_forced_unwind();
}

}  // namespace bast::internal

#endif
