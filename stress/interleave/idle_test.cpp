// SPDX-License-Identifier: Apache-2.0
//
// Workers that fall asleep, and a runtime that ends, in every order (lib/bast/sched/idle.hpp): what
// is brought meanwhile is found (IO-9), and no guest comes after the end (IO-11).
#include "bast/sched/idle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>

#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave {
namespace {

using sleep_flag = bast::internal::basic_sleep_flag<model_atomics>;
using idle_group = bast::internal::basic_idle_group<model_atomics>;
using guest_list = bast::internal::basic_guest_list<model_atomics>;

/// What a backend's wait() and wake() are: a wake before the wait ends it at once.
struct bell {
  atomic<std::uint32_t> rung{0};

  void wait() {
    while (rung.exchange(0, acquire) == 0) model_atomics::wait(rung, 0);
  }
  void wake() {
    rung.store(1, release);
    model_atomics::wake_all(&rung);
  }
};

struct message {
  plain<message*> next = nullptr;
  plain<int> value = 0;
};

// --- one worker and its inbox --------------------------------------------------------------------

/// The broken ones must hang.
struct sleeper_faults {
  bool looks_before_announcing = false;
  bool rings_before_pushing = false;
};

auto sleeps_until_all_came(int pushers, sleeper_faults faults) {
  return [=](world& w) {
    sleep_flag sleeps;
    bell rings;
    basic_inbox<message, model_atomics> inbox;
    std::array<message, 2> sent;
    int got = 0;
    w.spawn([&] {
      while (got != pushers) {
        for (message* at = inbox.take(); at != nullptr; at = at->next) got += at->value;
        if (got == pushers) break;
        const bool was_empty = inbox.empty();
        sleeps.announce();
        if (faults.looks_before_announcing ? was_empty : inbox.empty()) rings.wait();
        sleeps.retract();
      }
    });
    for (int i = 0; i < pushers; ++i) {
      w.spawn([&, i] {
        message& mine = sent[static_cast<std::size_t>(i)];
        mine.value = 1;
        if (faults.rings_before_pushing && sleeps.ring()) rings.wake();
        if (inbox.push(mine) && !faults.rings_before_pushing && sleeps.ring()) rings.wake();
      });
    }
    w.run();
    w.check(got == pushers, "each came once");
  };
}

TEST(IdleOrders, IO9_NoMessageIsMissedByAWorkerThatFallsAsleep) {
  expect_all_orders(sleeps_until_all_came(1, {}));
  expect_all_orders(sleeps_until_all_came(2, {}));
}

TEST(IdleOrders, IO9_ALookBeforeTheAnnouncementMissesOne) {
  EXPECT_NE(explore(quietly, sleeps_until_all_came(1, {.looks_before_announcing = true})).failure,
            "");
}

TEST(IdleOrders, IO9_ARingBeforeThePushMissesOne) {
  EXPECT_NE(explore(quietly, sleeps_until_all_came(1, {.rings_before_pushing = true})).failure, "");
}

// --- thieves -------------------------------------------------------------------------------------

/// Stands for a deque: its owner pushes with a release, anyone takes.
struct tokens {
  atomic<int> count{0};

  void push() { count.fetch_add(1, release); }
  bool looks_empty() { return count.load(relaxed) == 0; }
  bool take() {
    int seen = count.load(relaxed);
    while (seen != 0) {
      if (count.compare_exchange_strong(seen, seen - 1, acquire, relaxed)) return true;
    }
    return false;
  }
};

// The owners push and take none themselves: thieves must take them all. They stop when all are
// taken.
auto thieves_take_all(int thieves, int owners, int pushes_each) {
  return [=](world& w) {
    const int pushes = owners * pushes_each;
    idle_group group;
    std::array<sleep_flag, 2> sleeps;
    std::array<bell, 2> rings;
    tokens deque;
    atomic<int> taken{0};
    const auto ring_one = [&] {
      for (int i = 0; i < thieves; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (!sleeps[at].ring()) continue;
        rings[at].wake();
        return true;
      }
      return false;
    };
    for (int i = 0; i < thieves; ++i) {
      w.spawn([&, i] {
        const auto at = static_cast<std::size_t>(i);
        while (taken.load(acquire) != pushes) {
          if (deque.take()) {
            // The last one wakes the others for the end, as a runtime does.
            if (taken.fetch_add(1, acq_rel) + 1 == pushes) {
              for (std::size_t other = 0; other < sleeps.size(); ++other) {
                if (sleeps[other].ring()) rings[other].wake();
              }
            } else if (!deque.looks_empty() && group.wants_thief()) {
              group.call_thief(ring_one);
            }
            continue;
          }
          sleeps[at].announce();
          group.announce();
          if (deque.looks_empty() && taken.load(acquire) != pushes) rings[at].wait();
          sleeps[at].retract();
          group.retract();
        }
      });
    }
    for (int i = 0; i < owners; ++i) {
      w.spawn([&] {
        for (int pushed = 0; pushed < pushes_each; ++pushed) {
          deque.push();
          if (group.wants_thief()) group.call_thief(ring_one);
        }
      });
    }
    w.run();
    w.check(taken.load(relaxed) == pushes, "all were taken");
  };
}

TEST(IdleOrders, IO9_AThiefThatFallsAsleepMissesNoPush) {
  expect_all_orders(thieves_take_all(1, 1, 1));
  expect_all_orders(thieves_take_all(1, 1, 2));
  expect_exhausted(
      explore({.bound = 4, .schedules = UINT64_MAX, .seconds = 3600}, thieves_take_all(1, 2, 1)));
}

TEST(IdleOrders, IO9_TwoThievesTakeWhatIsPushed) {
  expect_all_orders(thieves_take_all(2, 1, 1));
  expect_all_orders(thieves_take_all(2, 1, 2));
}

// --- the inbox of a worker that is busy ----------------------------------------------------------

/// Guests bring messages for a worker that is awake, and does not look. If they do not tell the
/// thief, it must hang.
auto a_thief_takes_the_inbox(int guests, bool tells) {
  return [=](world& w) {
    sleep_flag owner;
    idle_group group;
    sleep_flag sleeps;
    bell rings;
    basic_inbox<message, model_atomics> inbox;
    std::array<message, 2> sent;
    int got = 0;
    w.spawn([&] {
      while (got != guests) {
        for (message* at = inbox.take_oldest_first(); at != nullptr; at = at->next) {
          got += at->value;
        }
        if (got == guests) break;
        sleeps.announce();
        group.announce();
        if (inbox.empty()) rings.wait();
        sleeps.retract();
        group.retract();
      }
    });
    for (int i = 0; i < guests; ++i) {
      w.spawn([&, i] {
        message& mine = sent[static_cast<std::size_t>(i)];
        mine.value = 1;
        if (!inbox.push(mine)) return;
        if (owner.ring() || !tells || !group.wants_thief()) return;
        group.call_thief([&] {
          if (!sleeps.ring()) return false;
          rings.wake();
          return true;
        });
      });
    }
    w.run();
    w.check(got == guests, "each came once");
  };
}

TEST(IdleOrders, IO9_AThiefTakesWhatCameForABusyWorker) {
  expect_all_orders(a_thief_takes_the_inbox(1, true));
  expect_all_orders(a_thief_takes_the_inbox(2, true));
  EXPECT_NE(explore(quietly, a_thief_takes_the_inbox(1, false)).failure, "");
}

// --- the end -------------------------------------------------------------------------------------

TEST(IdleOrders, IO11_AGuestIsSeenByTheEndOrFindsItClosed) {
  expect_all_orders([](world& w) {
    guest_list guests;
    plain<int> passed = 0;
    bool is_in_time = false;
    bool is_seen = false;
    w.spawn([&] {
      guests.enter();
      if (!guests.is_closed()) {
        is_in_time = true;
        passed = 1;
      }
      guests.leave();
    });
    w.spawn([&] {
      guests.close();
      is_seen = passed == 1;
    });
    w.run();
    w.check(is_seen == is_in_time, "what a guest has passed is seen");
  });
}

/// Two workers that end the last fibers: each counts, announces its sleep, and adds up.
auto ends_are_seen(bool looks_before_announcing) {
  return [=](world& w) {
    idle_group group;
    std::array<atomic<int>, 2> ended;
    std::array<bool, 2> sees_both{};
    for (std::size_t i = 0; i < ended.size(); ++i) {
      w.spawn([&, i] {
        ended[i].store(1, release);
        const auto both = [&] { return ended[0].load(acquire) + ended[1].load(acquire) == 2; };
        sees_both[i] = looks_before_announcing && both();
        group.announce();
        if (!looks_before_announcing) sees_both[i] = both();
        group.retract();
      });
    }
    w.run();
    w.check(sees_both[0] || sees_both[1], "one of them ends the runtime");
  };
}

TEST(IdleOrders, S1_OfTwoThatEndTheLastFibersOneSeesBothEnds) {
  expect_all_orders(ends_are_seen(false));
  EXPECT_NE(explore(quietly, ends_are_seen(true)).failure, "");
}

}  // namespace
}  // namespace bast::interleave
