// SPDX-License-Identifier: Apache-2.0
//
// Waiters (lib/bast/coro/waiter.hpp), the loop that resumes coroutines (ready_queue.hpp), and those
// that wait for a group (cancel/wait_list.hpp), in every order of their accesses.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "bast/cancel/wait_list.hpp"
#include "bast/coro/ready_queue.hpp"
#include "expect.hpp"
#include "explore.hpp"
#include "model_atomics.hpp"

namespace bast::interleave {
namespace {

using bast::internal::arm_cancelled;
using bast::internal::arm_first;

/// A loop of one thread: woken waiters arrive through its list.
struct loop {
  struct process_mark {
    static process_mark here() { return {}; }
    static bool is_forked() { return false; }
  };
  static process_mark process() { return {}; }
  using list = bast::internal::basic_ready_list<model_atomics>;
  list ready;
  unsigned told = 0;

  void wake(list::link& who) {
    if (ready.push(who)) ++told;
  }
  /// Like a coroutine's: no other one runs on this thread meanwhile, and the loop checks again.
  void park(list::link& who) {
    for (;; model_atomics::relax()) {
      ready.collect();
      if (ready.pop() == &who) return;
    }
  }
  void forget(list::link& who, bool woken) {
    if (woken) ready.remove(who);
  }
};

using waiter = bast::internal::basic_waiter<model_atomics, loop>;
struct wait_list : bast::internal::basic_wait_list<model_atomics, loop> {
  ~wait_list() { settle(); }
};

/// A thread, or a coroutine of `home`.
struct one_wait {
  explicit one_wait(loop* home) : who(home, nullptr), armed(who.arm(1)) {}
  waiter who;
  waiter::armed_word armed;
};

/// Of two committers one hands over its value, which the owner finds; then everything is destroyed.
void two_committers(world& w, bool has_loop) {
  loop home;
  auto wait = std::make_unique<one_wait>(has_loop ? &home : nullptr);
  model_atomics::plain<int> value{0};
  unsigned commits = 0;
  one_wait* const at = wait.get();
  for (std::uint16_t arm = 1; arm <= 2; ++arm) {
    w.spawn([&, at, arm, armed = wait->armed] {
      if (!at->who.commit(armed, arm)) return;
      ++commits;
      value = 10 * arm;
      at->who.wake();
    });
  }
  // It lives until both have checked; elsewhere an object's lock ensures that.
  w.spawn([&] {
    const int arm = wait->who.wait();
    w.check(value == 10 * arm, "what the committer did is seen");
  });
  w.run();
  w.check(commits == 1, "I1: one commit of two succeeds");
  w.check(!wait->who.commit(wait->armed, 9), "I1: nor does a later one");
}

TEST(WaiterOrders, OneOfTwoCommittersEndsTheWaitOfAThread) {
  expect_exhausted(explore(every_order, [](world& w) { two_committers(w, false); }));
}
TEST(WaiterOrders, OneOfTwoCommittersEndsTheWaitOfACoroutine) {
  expect_exhausted(explore(bound_3, [](world& w) { two_committers(w, true); }));
}

/// I3: after wait() or withdraw() no other thread touches it.
void only_committer(world& w, bool has_loop, bool withdraws) {
  auto home = std::make_unique<loop>();
  auto wait = std::make_unique<one_wait>(has_loop ? home.get() : nullptr);
  bool committed = false;
  w.spawn([&, at = wait.get()] {
    committed = at->who.commit(at->armed, 5);
    if (committed) at->who.wake();
  });
  w.spawn([&] {
    if (withdraws) {
      const std::uint16_t arm = wait->who.withdraw();
      w.check(arm == (committed ? 5 : arm_cancelled), "what it took back");
      // Its address belongs to the committer until its check, as under an object's lock.
      if (!committed) return;
    } else {
      w.check(wait->who.wait() == 5, "the committer's arm");
    }
    wait.reset();
    home.reset();
  });
  w.run();
}

TEST(WaiterOrders, I3_TheWakeIsTheLastAccess) {
  for (const bool has_loop : {false, true}) {
    for (const bool withdraws : {false, true}) {
      SCOPED_TRACE(testing::Message() << has_loop << withdraws);
      expect_exhausted(explore(bound_3, [=](world& w) { only_committer(w, has_loop, withdraws); }));
    }
  }
}

/// A thread that waits until a time, against a committer: one of them ends the wait, and the thread
/// goes on after the other's last access.
TEST(WaiterOrders, I3_ADeadlineAgainstACommitter) {
  expect_exhausted(explore(every_order, [](world& w) {
    auto wait = std::make_unique<one_wait>(nullptr);
    bool committed = false;
    model_atomics::plain<int> value = 0;
    w.spawn([&, at = wait.get()] {
      committed = at->who.commit(at->armed, 5);
      if (!committed) return;
      value = 7;
      at->who.wake();
    });
    w.spawn([&] {
      const std::uint16_t arm = wait->who.wait_until(wait->armed, 6, 1);
      w.check(arm == (committed ? 5 : 6), "the arm of the one that committed");
      // Else its address belongs to the committer until its check, as under an object's lock.
      if (!committed) return;
      w.check(value == 7, "what the committer did is seen");
      wait.reset();
    });
    w.run();
  }));
}

TEST(ReadyListOrders, WhatIsPushedArrivesOnceAndTheLoopIsTold) {
  expect_exhausted(explore(bound_3, [](world& w) {
    loop home;
    loop::list::link links[2];
    unsigned seen[2] = {};
    int told = 0;
    for (auto& link : links) {
      w.spawn([&] {
        if (home.ready.push(link)) ++told;
      });
    }
    const auto look = [&] {
      home.ready.collect();
      told = 0;
      while (const auto* const one = home.ready.pop()) ++seen[one - links];
    };
    w.spawn([&] {
      look();
      look();
    });
    w.run();
    const bool has_all = seen[0] + seen[1] == 2;
    w.check(told == (has_all ? 0 : 1), "one knows that the loop must check again");
    look();
    w.check(seen[0] == 1 && seen[1] == 1, "each once");
  }));
}

TEST(ReadyListOrders, WhatIsTakenOutWaitsForItsPush) {
  expect_exhausted(explore(bound_3, [](world& w) {
    loop home;
    auto mine = std::make_unique<loop::list::link>();
    loop::list::link other;
    w.spawn([&, at = mine.get()] { (void)home.ready.push(*at); });
    w.spawn([&] { (void)home.ready.push(other); });
    w.spawn([&] {
      home.ready.remove(*mine);
      mine.reset();
    });
    w.run();
    home.ready.collect();
    w.check(home.ready.pop() == &other && home.ready.pop() == nullptr, "the other is left");
  }));
}

TEST(InboxOrders, WhatIsFreedElsewhereArrivesOnceWithWhatWasWrittenToIt) {
  struct block {
    model_atomics::plain<block*> next = nullptr;
    model_atomics::plain<int> written = 0;
  };
  using inbox = bast::basic_inbox<block, model_atomics>;
  using remote_free = bast::basic_remote_free<block, model_atomics>;
  expect_exhausted(explore(bound_3, [](world& w) {
    inbox home;
    block blocks[3];
    int arrived = 0;
    const auto collect = [&] {
      for (block* at = home.take(); at != nullptr; at = at->next) {
        ++arrived;
        w.check(at->written == 1, "it is as its last user left it");
        at->written = 2;
      }
    };
    w.spawn([&] {
      remote_free worker;
      for (int i = 0; i < 2; ++i) {
        blocks[i].written = 1;
        worker.free(home, blocks[i]);
      }
    });
    w.spawn([&] {
      blocks[2].written = 1;
      home.push(blocks[2]);
    });
    w.spawn([&] {
      collect();
      collect();
    });
    w.run();
    collect();
    w.check(arrived == 3, "each once");
  }));
}

TEST(InboxOrders, WhatTwoTakeGoesToOneOfThem) {
  struct letter {
    model_atomics::plain<letter*> next = nullptr;
    model_atomics::plain<int> reads = 0;
  };
  expect_exhausted(explore(bound_3, [](world& w) {
    bast::basic_inbox<letter, model_atomics> home;
    letter letters[2];
    int taken[2] = {};
    const auto take = [&](int& count) {
      for (letter* at = home.take(); at != nullptr; at = at->next) {
        w.check(at->reads == 0, "nobody else has it");
        at->reads = 1;
        ++count;
      }
    };
    for (letter& mine : letters) w.spawn([&] { home.push(mine); });
    for (int& count : taken) w.spawn([&] { take(count); });
    w.run();
    take(taken[0]);
    w.check(taken[0] + taken[1] == 2, "each once");
  }));
}

/// One wait for a group, like wait_group's.
struct group_wait {
  explicit group_wait(wait_list& group, loop* home)
      : members(group), who(home, nullptr), node{.who = &who, .armed = who.arm(1)} {}
  wait_list& members;
  waiter who;
  wait_list::node node;

  /// True if it was released; then the group is not touched any more.
  bool wait() {
    if (!members.enlist(node)) {
      (void)who.withdraw();
      return true;
    }
    if (who.wait() == arm_first) return true;
    members.delist(node);
    return false;
  }
  void cancel() {
    if (who.commit(node.armed, arm_cancelled)) who.wake();
  }
};

TEST(WaitListOrders, Y14_WhoeverWasReleasedMayEndTheGroup) {
  for (const bool has_loop : {false, true}) {
    expect_exhausted(explore(bound_3, [=](world& w) {
      auto group = std::make_unique<wait_list>();
      loop home;
      model_atomics::plain<int> work[2] = {0, 0};
      for (auto& mine : work) {
        group->begin();
        w.spawn([&, at = group.get()] {
          mine = 1;
          at->done();
        });
      }
      w.spawn([&] {
        group_wait waits(*group, has_loop ? &home : nullptr);
        w.check(waits.wait(), "it is released");
        w.check(work[0] + work[1] == 2, "Y-13: what members did is seen");
        group.reset();
      });
      w.run();
    }));
  }
}

TEST(WaitListOrders, Y14_WhoeverSawItIdleMayEndTheGroup) {
  expect_exhausted(explore(every_order, [](world& w) {
    auto group = std::make_unique<wait_list>();
    model_atomics::plain<int> work = 0;
    group->begin();
    w.spawn([&, at = group.get()] {
      work = 1;
      at->done();
    });
    w.spawn([&] {
      while (group->active() != 0) model_atomics::relax();
      w.check(work == 1, "Y-13: what the member did is seen");
      group.reset();
    });
    w.run();
  }));
}

TEST(WaitListOrders, Y11_EverybodyWhoWaitsAtZeroIsReleased) {
  expect_exhausted(explore({}, [](world& w) {
    wait_list group;
    group.begin();
    unsigned released = 0;
    for (int i = 0; i < 2; ++i) {
      w.spawn([&] {
        group_wait waits(group, nullptr);
        if (waits.wait()) ++released;
      });
    }
    w.spawn([&] {
      group.done();
      group.begin();  // The next cycle keeps no waiter of this one.
      group.done();
    });
    w.run();
    w.check(released == 2, "Y-11: all are");
  }));
}

TEST(WaitListOrders, C11_TheLastMemberAgainstACancel) {
  for (const bool has_loop : {false, true}) {
    expect_exhausted(explore(bound_3, [=](world& w) {
      auto group = std::make_unique<wait_list>();
      loop home;
      group->begin();
      std::unique_ptr<group_wait> waits =
          std::make_unique<group_wait>(*group, has_loop ? &home : nullptr);
      w.spawn([&] { group->done(); });
      w.spawn([&] { waits->cancel(); });  // The end of a registration would wait for it.
      w.spawn([&] { (void)waits->wait(); });
      w.run();
      w.check(group->active() == 0, "no member is active");
      waits.reset();
      group.reset();
    }));
  }
}

}  // namespace
}  // namespace bast::interleave
