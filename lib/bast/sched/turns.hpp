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

// Null: back to the loop.
[[gnu::always_inline]] inline coro_block* worker::pick(const fiber_record* parent) noexcept {
  ready_link* const woken = std::exchange(handoff_, nullptr);
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
  if (ready_link* const next = ready_.pop()) return resume(*next);
  return pick_fairly();
}

[[gnu::always_inline]] inline void worker::switch_away(fiber_record& me,
                                                       const fiber_record* hands_on_to) noexcept {
  if (coro_block* const next = pick(hands_on_to)) {
    switch_to(*next, running_here(next->tag));
  } else {
    park_for_resumer();
  }
  running_ = &me;
  this_thread.ops_left = ops_max;
}

[[gnu::always_inline]] inline void worker::yield() noexcept {
  if (ready_.size() == 0 && unstarted_.size() == 0 && !may_start_own_ && switches_ > 1) {
    --switches_;
    return;
  }
  fiber_record& me = *running_;
  ready_link mine{.coroutine = this_thread.current, .fiber = &me, .parked = true};
  ready_.append(mine);
  switch_away(me, nullptr);
}

[[gnu::always_inline]] inline void worker::park_here(ready_link& link) noexcept {
  fiber_record& me = *running_;
  link.fiber = &me;
  link.parked = true;
  me.started.wait = &link;
  switch_away(me, &me);
  me.started.wait = nullptr;
  link.parked = false;
}

// It will run below `top`, and has a place in the list.
[[gnu::always_inline]] inline void worker::begin_on(fiber_record& f, slot& stack,
                                                    std::byte* top) noexcept {
  bind(f.block, stack, top, enter);
  attachment_of(f.block) = &root_;
  f.started = {};
  f.next = fibers_;
  if (fibers_ != nullptr) fibers_->started.previous = &f;
  fibers_ = &f;
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
  f.joiners = &node;
  node.linked = true;
  f.join_lock.unlock();
  who.let_executor_cancel();
  park_here(who.link());
  if (who.end_wait() != arm_cancelled) return true;
  unlink_joiner(f, node);
  return false;
}

}  // namespace bast::inline BAST_ABI::internal
