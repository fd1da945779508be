// SPDX-License-Identifier: Apache-2.0
//
// Performs in every order (lib/bast/op): choices that meet on several objects from both sides,
// cancels, events; waiters on a thread and in a loop; a peer that goes on and ends at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/op_model.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave::op_orders {
namespace {

struct side {
  std::size_t at;
  char direction;  // 's'end or 'r'eceive
};
using choice_sides = std::vector<side>;

/// The choices, each on a thread of its own, and cancels of some of them. Afterwards pairs match,
/// values arrive, and who waits still has nobody to meet.
struct choices {
  std::vector<choice_sides> of;
  std::vector<std::size_t> cancels = {};
  bool in_loops = false;
  bool tries = true;
  /// Who is left over ends by an event, which those fire that have met.
  bool ends = false;

  void operator()(world& w) const {
    std::array<numbers, 3> objects;
    event over;
    std::vector<int> chosen(of.size(), -2);
    std::vector<int> got(of.size(), 0);
    std::vector<std::optional<perform_of>> performs(of.size());
    std::vector<one_coroutine_loop> loops(of.size());
    for (std::size_t i = 0; i < of.size(); ++i) {
      performs[i].emplace(in_loops ? &loops[i] : nullptr);
    }
    for (std::size_t i = 0; i < of.size(); ++i) {
      w.spawn([&, i] {
        int value = 100 + static_cast<int>(i);
        std::array<std::optional<numbers::sender>, 3> senders;
        std::array<std::optional<numbers::receiver>, 3> receivers;
        std::vector<branch*> arms;
        for (std::size_t a = 0; a < of[i].size(); ++a) {
          const side& s = of[i][a];
          if (s.direction == 's') {
            arms.push_back(&senders[a].emplace(objects[s.at], value));
          } else {
            arms.push_back(&receivers[a].emplace(objects[s.at]));
          }
        }
        event::leaf ended(over);
        if (ends) arms.push_back(&ended);
        chosen[i] = (*performs[i])(arms, tries);
        if (ends && chosen[i] == static_cast<int>(of[i].size())) chosen[i] = -1;
        if (ends && chosen[i] >= 0) over.fire();
        if (chosen[i] >= 0 && receivers[static_cast<std::size_t>(chosen[i])]) {
          got[i] = receivers[static_cast<std::size_t>(chosen[i])]->value().value_or(0);
        }
      });
    }
    for (const std::size_t c : cancels) w.spawn([&, c] { performs[c]->cancel(); });
    w.run();
    std::multiset<std::pair<std::size_t, char>> sides;
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (chosen[i] < 0) continue;
      const side& s = of[i][static_cast<std::size_t>(chosen[i])];
      sides.emplace(s.at, s.direction);
      if (s.direction == 'r') {
        const auto from = static_cast<std::size_t>(got[i] - 100);
        w.check(from < of.size() && chosen[from] >= 0, "what is received was sent");
        const side& theirs = of[from][static_cast<std::size_t>(chosen[from])];
        w.check(theirs.at == s.at && theirs.direction == 's', "by the arm that was chosen");
      }
    }
    for (std::size_t at = 0; at < objects.size(); ++at) {
      w.check(sides.count({at, 's'}) == sides.count({at, 'r'}), "commits are pairs");
    }
  }
};

const std::vector<choice_sides> crossed = {{{0, 's'}, {1, 'r'}}, {{1, 's'}, {0, 'r'}}};

TEST(OpOrders, TwoThatWantBothSidesCommitOnePair) {
  for (const bool in_loops : {false, true}) {
    expect_all_orders(choices{{{{0, 's'}, {1, 'r'}}, {{0, 'r'}, {1, 's'}}}, {}, in_loops});
    expect_all_orders(choices{crossed, {}, in_loops});
  }
}

// Both are linked before they meet: each claims itself, and meets the other's claim (P5).
TEST(OpOrders, TwoThatMeetEachOthersClaimsCommitOnePair) {
  expect_exhausted(explore({.bound = is_long() ? 5U : 4U, .schedules = UINT64_MAX, .seconds = 3600},
                           choices{crossed, {}, false, false}));
}

// Who has been committed by one may not commit another (P4).
TEST(OpOrders, OneThatTwoWantMeetsOneOfThem) {
  const std::vector<choice_sides> wanted = {{{0, 's'}, {1, 'r'}}, {{1, 's'}}, {{0, 'r'}}};
  expect_exhausted(explore({.bound = is_long() ? 3U : 2U, .schedules = UINT64_MAX, .seconds = 3600},
                           choices{wanted, {}, false, false, true}));
}

TEST(OpOrders, ChoicesInARingCommitOneOfTheirPairs) {
  // The third waits for ever where the others meet: it is cancelled.
  const std::vector<choice_sides> ring = {
      {{0, 's'}, {1, 'r'}}, {{1, 's'}, {2, 'r'}}, {{2, 's'}, {0, 'r'}}};
  expect_all_orders(choices{{ring[0], ring[1]}, {}, false});
  const result r = explore(quietly, choices{ring, {}, false});
  expect_failure(r, "no thread can continue");
}

TEST(OpOrders, OneSideSuffices) {
  expect_all_orders(choices{{{{0, 's'}}, {{0, 'r'}}}, {}, false});
  expect_all_orders(choices{{{{0, 's'}, {1, 's'}}, {{0, 'r'}}}, {}, false});
}

// An event and a rendezvous in one choice; the event's waiter may be gone at once.
void an_event_or_a_number(world& w, bool has_sender) {
  numbers at;
  event done;
  plain<int> before = 0;
  int chosen = -2;
  bool sent = false;
  w.spawn([&] {
    perform_of p(nullptr);
    numbers::receiver number(at);
    event::leaf happened(done);
    chosen = p({&number, &happened});
    if (chosen == 0) w.check(number.value() == 7, "the value comes with the commit");
    // Also if it saw that without a lock, and without a wait.
    if (chosen == 1) w.check(before == 1, "what came before it is seen");
  });
  w.spawn([&] {
    before = 1;
    done.fire();
  });
  if (has_sender) {
    w.spawn([&] {
      perform_of p(nullptr);
      int value = 7;
      numbers::sender number(at, value);
      event::leaf happened(done);
      sent = p({&number, &happened}) == 0;
    });
  }
  w.run();
  w.check(chosen >= 0, "one of them");
  w.check(sent == (chosen == 0), "a pair, or neither");
}

TEST(OpOrders, AnEventOrARendezvous) {
  expect_all_orders([](world& w) { an_event_or_a_number(w, false); });
  expect_all_orders([](world& w) { an_event_or_a_number(w, true); });
}

// Cancels and a partner for one choice.
void a_cancel_or_a_number(world& w, int cancels, bool in_loop) {
  numbers at;
  event never_fires;
  one_coroutine_loop loop;
  perform_of p(in_loop ? &loop : nullptr);
  int chosen = -2;
  bool sent = false;
  w.spawn([&] {
    numbers::receiver number(at);
    event::leaf other(never_fires);
    chosen = p({&number, &other});
    w.check(number.value().has_value() == (chosen == 0), "a value comes with a commit alone");
  });
  w.spawn([&] {
    // Tries only: nobody may be there.
    model_traits::waiter who(nullptr);
    performer once(who);
    int value = 7;
    numbers::sender number(at, value);
    sent = number.attempt(once) == progress::committed;
  });
  for (int i = 0; i < cancels; ++i) w.spawn([&] { p.cancel(); });
  if (cancels > 1) {
    // So that the choice ends, if all came too early.
    w.spawn([&] { never_fires.fire(); });
  }
  w.run();
  w.check(sent == (chosen == 0), "a pair, or neither");
}

TEST(OpOrders, ACancelOrACommitEndsAPerform) {
  expect_failure(explore(quietly, [](world& w) { a_cancel_or_a_number(w, 1, false); }),
                 "no thread can continue");
  for (const bool in_loop : {false, true}) {
    expect_exhausted(explore({.bound = 1}, [=](world& w) { a_cancel_or_a_number(w, 2, in_loop); }));
  }
}

// Whoever is over first destroys the object, while the other has not returned yet (Y-14).
TEST(OpOrders, AnObjectMayEndWhenAnOpHasCommitted) {
  expect_all_orders([](world& w) {
    std::optional<numbers> at(std::in_place);
    atomic<int> over_already{0};
    const auto over = [&] {
      if (over_already.exchange(1, acq_rel) == 0) at.reset();
    };
    w.spawn([&] {
      perform_of p(nullptr);
      int value = 7;
      numbers::sender number(*at, value);
      p({&number});
      over();
    });
    w.spawn([&] {
      perform_of p(nullptr);
      numbers::receiver number(*at);
      p({&number});
      over();
    });
    w.run();
  });
}

// The same with an event, which the thread that fires it may still hold.
TEST(OpOrders, AnEventMayEndWhenAnOpHasSeenIt) {
  expect_all_orders([](world& w) {
    std::optional<event> happens(std::in_place);
    w.spawn([&] { happens->fire(); });
    w.spawn([&] {
      perform_of p(nullptr);
      event::leaf happened(*happens);
      p({&happened});
      happens.reset();
    });
    w.run();
  });
}

}  // namespace
}  // namespace bast::interleave::op_orders
