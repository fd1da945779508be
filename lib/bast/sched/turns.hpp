// SPDX-License-Identifier: Apache-2.0
//
// The hot part of a worker: who runs next, and the switch there. Inline down to the switch: each
// return after a switch is mispredicted, since the processor expects the caller on the stack that
// was left (docs/context-switch.md).
#pragma once

#include <utility>

#include "bast/sched/join.hpp"
#include "bast/sched/worker.hpp"

namespace bast::inline BAST_ABI::internal {

// Whoever waited or yielded goes on. All that the worker does for it, before the switch.
[[gnu::always_inline]] inline coro_block* worker::resume(ready_link& link) noexcept {
  BAST_ASSERT(link.parked);
  auto& f = *static_cast<fiber_record*>(link.fiber);
  f.started.wait = nullptr;
  chosen_ = &f.block;
  this_thread.ops_left = ops_max;
  return link.coroutine;
}

// `woken`: by the fiber that ends. `parent`: whose newest child comes first (I4). Either may be null.
// Returns null: back to the loop.
[[gnu::always_inline]] inline coro_block* worker::pick(ready_link* woken,
                                                       const fiber_record* parent) noexcept {
  --turns_;
  --switches_;
  if (switches_ <= 0 || turns_ <= 0) [[unlikely]]
    return pick_slowly(woken);
  if (woken != nullptr) return resume(*woken);
  if (parent != nullptr) {
    const auto child = unstarted_.newest();
    if (child && (*child)->parent == parent) {
      if (coro_block* const block = start_newest()) return block;
    }
  }
  if (ready_link* const next = ready_.pop()) [[likely]]
    return resume(*next);
  return pick_fairly();
}

// Null: to the thread.
[[gnu::always_inline]] inline void worker::go_to(coro_block* next) noexcept {
  if (next != nullptr) [[likely]] {
    switch_to(*next, running_here(next->tag));
  } else {
    park_for_resumer();
  }
}

[[gnu::always_inline]] inline void worker::yield() noexcept {
  if (ready_.size() == 0 && unstarted_.size() == 0 && switches_ > 1) [[unlikely]] {
    --switches_;
    return;
  }
  ready_link mine{.coroutine = this_thread.current, .fiber = running(), .parked = true};
  ready_.append(mine);
  go_to(pick(nullptr, nullptr));
}

// The running fiber waits.
[[gnu::always_inline]] inline coro_block* worker::leave(ready_link& link) noexcept {
  fiber_record& me = *running();
  link.fiber = &me;
  link.parked = true;
  me.started.wait = &link;
  return pick(nullptr, &me);
}

// As perform() of a join, without the generality: one object, one arm, and the root's token.
[[gnu::always_inline]] inline bool worker::join_own(fiber_record& f) noexcept {
  waiter who(this);
  wait_node_of<real_traits> node;
  node.who = &who;
  node.arm = arm_first;
  f.join_lock.lock();
  // Relaxed: under the lock.
  const bool has_ended = f.finished.load(std::memory_order_relaxed);
  if (has_ended || f.joiners != nullptr) {
    f.join_lock.unlock();
    if (has_ended) spend_op();  // IO-7
    return has_ended;
  }
  node.armed = who.arm();
  who.wait_for_one_only();
  f.joiners = &node;
  node.linked = true;
  f.join_lock.unlock();
  go_to(leave(who.link()));
  if (who.end_wait() != arm_cancelled) return true;
  unlink_joiner(f, node);
  return false;
}

}  // namespace bast::inline BAST_ABI::internal
