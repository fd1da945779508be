// SPDX-License-Identifier: Apache-2.0
//
// A minimal scheduler, for tests of coroutines that switch to each other.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bast/coro.hpp"
#include "bast/coro/switch_to.hpp"

namespace bast::inline BAST_ABI::internal {

/// Records with a block and space for an outcome, a queue of the ready ones, and one stack pool. A
/// record's outcome outlives its stack.
class minimal_scheduler {
 public:
  struct record {
    coro_block block;  // first: an entry function receives it
    minimal_scheduler* owner = nullptr;
    std::function<int()> body;
    std::optional<int> value;
    std::exception_ptr failure;
  };
  static_assert(alignof(record) == 64);

  explicit minimal_scheduler(stack_options options = {}) {
    EXPECT_TRUE(prepare_thread());
    EXPECT_TRUE(stacks.init(options, 64));
    stacks.set_user(running_stack_of, this_thread.tag);
    EXPECT_EQ(running, nullptr);
    running = this;
    this_thread.recycle = [](coro_block& ended) noexcept { running->take_back(ended); };
  }
  ~minimal_scheduler() {
    EXPECT_EQ(this_thread.current, nullptr);
    EXPECT_EQ(this_thread.resuming, nullptr);
    EXPECT_EQ(this_thread.ended, nullptr);
    EXPECT_EQ(stacks.stats().live, 0U);
    stacks.check_invariants();
    this_thread.recycle = nullptr;
    running = nullptr;
  }
  minimal_scheduler(const minimal_scheduler&) = delete;
  minimal_scheduler& operator=(const minimal_scheduler&) = delete;

  record& spawn(std::function<int()> body, coro_tag flags = 0) {
    record& made = *records.emplace_back(std::make_unique<record>());
    made.owner = this;
    made.body = std::move(body);
    made.block.tag = make_tag(7, 0, coro_state::ready) | flag_scheduled | flags;
    ready.push_back(&made.block);
    return made;
  }
  record& spawn_void(std::function<void()> body, coro_tag flags = 0) {
    return spawn([body = std::move(body)] { return body(), 0; }, flags);
  }

  /// Runs ready coroutines until there is none.
  void run() {
    while (coro_block* const next = take()) {
      internal::run(*next, this_thread, running_here(next->tag));
      if (last_ended != nullptr) take_back(*std::exchange(last_ended, nullptr));
    }
  }

  /// Called by a running coroutine.
  static void yield() {
    running->ready.push_back(this_thread.current);
    park();
  }
  static void park() {
    if (coro_block* const next = running->take()) {
      ++running->switches;
      switch_to(*next, running_here(next->tag));
    } else {
      park_for_resumer();
    }
  }
  /// Yields to the thread even if others are ready.
  static void yield_to_the_thread() {
    running->ready.push_back(this_thread.current);
    park_for_resumer();
  }

  static inline minimal_scheduler* running = nullptr;
  stack_pool stacks;
  std::deque<coro_block*> ready;
  std::vector<std::unique_ptr<record>> records;
  coro_block* last_ended = nullptr;  // the last that ended to the thread
  unsigned switches = 0;
  unsigned taken_back = 0;

 private:
  coro_block* take() {
    if (ready.empty()) return nullptr;
    coro_block* const next = ready.front();
    ready.pop_front();
    if (next->stack == nullptr) {  // Its first run.
      EXPECT_EQ(thread_of(next->tag), 0U) << "it has no thread yet";
      slot* const stack = *stacks.acquire(site_key::labelled("scheduled"));
      bind(*next, *stack, stack->top, enter);
    }
    return next;
  }
  void take_back(coro_block& ended) noexcept {
    EXPECT_EQ(state_of(ended.tag), coro_state::finished);
    ended.hooks.ended();
    stacks.release(*std::exchange(ended.stack, nullptr));
    ++taken_back;
  }
  static void enter(arch::context* self) noexcept {
    record& mine = *reinterpret_cast<record*>(self);
    first_arrival(mine.block);
    run_body(mine);
    minimal_scheduler& all = *mine.owner;
    if (coro_block* const next = all.take()) finish_to(*next, running_here(next->tag));
    all.last_ended = &mine.block;
    finish_for_resumer();
  }
  [[gnu::noinline]] static void run_body(record& mine) noexcept {
#if BAST_EXCEPTIONS
    try {
      mine.value = mine.body();
    } catch (...) {
      mine.failure = std::current_exception();
    }
#else
    mine.value = mine.body();
#endif
    mine.body = nullptr;
  }
};

}  // namespace bast::inline BAST_ABI::internal
