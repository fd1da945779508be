// SPDX-License-Identifier: Apache-2.0
//
// The end of a pool: releases everything that it still holds, newest first (F-17).
#include <algorithm>

#include "bast/coro/pool_core.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

namespace {

struct order_entry {
  std::uint64_t sequence;
  coro_block* block;
};

bool is_held(const coro_block& block) noexcept {
  const coro_state state = state_of(block.tag);
  return state != coro_state::free && state != coro_state::retired;
}

}  // namespace

void pool_core::release_at_death(coro_block& block) noexcept {
  const bool is_scheduled = (block.tag & flag_scheduled) != 0;
  if (state_of(block.tag) == coro_state::running || is_scheduled) {
    const char* const name = block.stack != nullptr ? block.stack->name : nullptr;
    text diagnostic;
    diagnostic << "bast: a coro_pool was destroyed while coroutine '"
               << (name != nullptr ? name : "(unnamed)") << "' was "
               << (is_scheduled ? "scheduled" : "running") << '\n';
    violation(diagnostic);
  }
  // Without exceptions there is no unwinding: suspended coroutines are abandoned, and counted.
  if (!release(block)) (void)release_abandoning(block);
}

/// Newest first (F-17). Unwinding runs destructors that may release, acquire and start in this
/// pool. So the order is recorded first, and every entry is checked again.
void pool_core::release_everything() noexcept {
  std::size_t held = 0;
  for_each_block([&](const coro_block& block) { held += is_held(block) ? 1U : 0U; });
  const std::size_t size = round_up(held * sizeof(order_entry) + 1, os::page_bytes());
  if (const auto memory = os::map(size)) {
    auto* const order = reinterpret_cast<order_entry*>(*memory);
    std::size_t count = 0;
    for_each_block([&](coro_block& block) {
      if (is_held(block)) order[count++] = {block.sequence, &block};
    });
    std::sort(order, order + count, [](const order_entry& a, const order_entry& b) {
      if (BAST_MUTANT(oldest_unwound_first)) return a.sequence < b.sequence;
      return a.sequence > b.sequence;
    });
    for (std::size_t i = 0; i < count; ++i) {
      coro_block& block = *order[i].block;
      if (is_held(block) && block.sequence == order[i].sequence) release_at_death(block);
    }
    os::release(*memory, size);
  }
  // Coroutines that the destructors started meanwhile; or all of them, slowly, if memory was short.
  for (;;) {
    coro_block* newest = nullptr;
    for_each_block([&](coro_block& block) {
      if (!is_held(block)) return;
      if (newest == nullptr || block.sequence > newest->sequence) newest = &block;
    });
    if (newest == nullptr) return;
    release_at_death(*newest);
  }
}

}  // namespace bast::inline BAST_ABI::internal
