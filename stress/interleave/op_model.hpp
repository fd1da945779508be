// SPDX-License-Identifier: Apache-2.0
//
// Performs in the model: layer op over the atomics of the checker, and a waiter on a thread or in a
// loop.
#pragma once

#include <cstdint>
#include <vector>

#include "bast/op/meeting.hpp"
#include "bast/op/performer.hpp"
#include "bast/op/retry.hpp"
#include "bast/testing/rendezvous.hpp"
#include "interleave/explore.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave::op_orders {

// Other files of a unity build have theirs.
template <class T>
using atomic = model_atomics::atomic<T>;
template <class T>
using plain = model_atomics::plain<T>;

using bast::internal::progress;

/// The executor of a coroutine on a thread of its own: that thread's loop.
struct one_coroutine_loop {
  struct process_mark {
    static process_mark here() { return {}; }
    static bool is_forked() { return false; }
  };
  static process_mark process() { return {}; }
  using link = bast::internal::basic_ready_link<model_atomics>;
  atomic<int> woken{0};

  void wake(link& /*who*/) { woken.store(1, release); }
  void park(link& /*who*/) {
    while (woken.load(acquire) == 0) model_atomics::relax();
    woken.store(0, relaxed);
  }
  void forget(link& who, bool was_woken) {
    if (was_woken) park(who);
  }
};

struct model_traits {
  using atomics = model_atomics;
  using executor = one_coroutine_loop;
  struct waiter : bast::internal::basic_waiter<model_atomics, one_coroutine_loop> {
    explicit waiter(one_coroutine_loop* home) : basic_waiter(home, nullptr) {}
    armed_word arm() { return basic_waiter::arm(++epoch); }
    std::uint64_t epoch = 0;
  };
};
using branch = bast::internal::basic_branch<model_traits>;
using performer = bast::internal::basic_performer<model_traits>;
using branches = bast::internal::basic_branch_list<model_traits>;
using numbers = test::rendezvous<int, model_traits>;
using event = bast::internal::basic_once_event<model_traits>;

/// What a perform does, over branches of the test.
struct perform_of {
  explicit perform_of(one_coroutine_loop* home) : who(home), mine(who) {}

  /// The branch that was committed, from 0; -1: cancelled. Without `tries` as if it had been alone
  /// when it tried.
  int operator()(const std::vector<branch*>& arms, bool tries = true) {
    for (branch* const b : arms) all.append(*b);
    bool goes_on = true;
    while (goes_on && mine.chosen() == nullptr) {
      progress got = tries ? mine.attempt(arms) : progress::none;
      if (got == progress::none) got = mine.enlist(all);
      goes_on = got == progress::again;
      if (got == progress::none) {
        cancellable.store(true, release);
        goes_on = mine.wait(all);
      }
      if (mine.chosen() != nullptr || !goes_on) break;
      unregister();
      cancelling.store(false, release);
      (void)mine.restart(all);
      goes_on = !cancelled.load(relaxed);
    }
    unregister();
    mine.leave(all);
    mine.pass_on(all);
    int index = 0;
    for (branch* const b : arms) {
      if (b == mine.chosen()) return index;
      ++index;
    }
    return -1;
  }
  /// A cancellation callback, on another thread.
  void cancel() {
    cancelled.store(true, relaxed);
    if (!cancellable.load(acquire) || cancelling.exchange(true, acquire)) return;
    if (cancellable.load(relaxed)) mine.cancel();
    cancelling.store(false, release);
  }
  /// Of the callback: waits for it.
  void unregister() {
    while (cancelling.exchange(true, acquire)) model_atomics::relax();
    cancellable.store(false, relaxed);
  }

  model_traits::waiter who;
  performer mine;
  branches all;
  atomic<bool> cancelled{false};  // as its token says
  atomic<bool> cancellable{false};
  atomic<bool> cancelling{false};
};

}  // namespace bast::interleave::op_orders
