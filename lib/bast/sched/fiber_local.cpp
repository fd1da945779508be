// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/fiber_local.hpp"

#include "bast/sched/worker.hpp"

namespace bast::inline BAST_ABI::internal {

local_node* keep(local_node& shared) noexcept {
  // Relaxed: the caller holds it meanwhile.
  shared.holders.fetch_add(1, std::memory_order_relaxed);
  return &shared;
}

// A loop: a chain may be long.
void drop(local_node* held) noexcept {
  // Acquire and release: pairs with the other holders' ends; the last one destroys it.
  while (held != nullptr && held->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    local_node* const outer = held->outer;
    held->destroy(*held);
    held = outer;
  }
}

local_node*& locals_here() noexcept {
  static constinit thread_local local_node* of_thread = nullptr;
  worker* const here = this_worker;
  const bool is_in_fiber = here != nullptr && here->running() != nullptr;
  return is_in_fiber ? here->running()->locals : of_thread;
}

const void* find_local(const void* key) noexcept {
  for (const local_node* at = locals_here(); at != nullptr; at = at->outer) {
    if (at->key == key) return at->value;
  }
  return nullptr;
}

}  // namespace bast::inline BAST_ABI::internal
