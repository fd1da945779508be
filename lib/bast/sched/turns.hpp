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

// A fiber that waited or yielded goes on. All that the worker does for it, before the switch.
[[gnu::always_inline]] inline coro_block* worker::resume(coro_block& ready) noexcept {
  chosen_ = &ready;
  this_thread.ops_left = ops_max;
  ready_link* const waited = std::exchange(fiber_record::of(ready).started.wait, nullptr);
  if (waited == nullptr) return &ready;
  waited->linked = false;  // It may be used for another wait, which forget() ends.
  return waited->coroutine;
}

// Many fibers do not fit into the first cache: fetches what the next one needs, and the block of
// the one after that.
[[gnu::always_inline]] inline coro_block* worker::take_ready() noexcept {
  coro_block* const first = ready_.pop();
  if (const coro_block* const coming = ready_.oldest()) {
    __builtin_prefetch(coming->next);
    __builtin_prefetch(&reinterpret_cast<const fiber_record*>(coming)->started);
    __builtin_prefetch(coming->context.sp);
  }
  return first;
}

// `woken`: by the fiber that ends. `parent`: whose newest child comes first (I4). Both may be null.
// Returns null: back to the loop.
[[gnu::always_inline]] inline coro_block* worker::pick(coro_block* woken,
                                                       const fiber_record* parent) noexcept {
  if (--switches_ <= 0 || --turns_ <= 0) [[unlikely]]
    return pick_slowly(woken, parent);
  if (woken != nullptr) return resume(*woken);
  if (parent != nullptr) {
    const auto child = unstarted_.newest();
    if (child && (*child)->parent == parent) {
      if (coro_block* const block = start_newest()) return block;
    }
  }
  if (coro_block* const next = take_ready()) [[likely]]
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
  if (ready_.size() == 0 && unstarted_.size() == 0 && !may_start_own_ && turns_ > 0) [[unlikely]] {
    return yield_alone();
  }
  ready_.append(*chosen_);
  go_to(pick(nullptr, nullptr));
}

// The running fiber waits.
[[gnu::always_inline]] inline coro_block* worker::leave(ready_link& link) noexcept {
  fiber_record& me = *running();
  me.started.wait = &link;
  return pick(nullptr, &me);
}

// It has a stack, and a place in its domain's list, which is reserved.
[[gnu::always_inline]] inline void worker::begin_on(fiber_record& f, slot& stack) noexcept {
  coro_attachment* const domain = f.block.attachment;
  bind(f.block, stack, stack.top, enter);
  f.block.attachment = domain != nullptr ? domain : &root_;
  f.started = {};
  link(f, domain != nullptr ? list_of(domain) : fibers_);
  default_stacks_ += f.stack_class == 0 ? 1 : 0;
}

// As perform() of a join, for one object, one arm and the root's token. 49 ns instead of 61 for a
// spawn and its join.
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
