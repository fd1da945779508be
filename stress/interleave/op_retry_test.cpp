// SPDX-License-Identifier: Apache-2.0
//
// Performs that try again, in every order (lib/bast/op/retry.hpp): no wake is missed (W2) or lost
// (W3), and the queue may end at once (W4).
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/op_model.hpp"

namespace bast::interleave::op_orders {
namespace {

using queue = bast::internal::basic_wait_queue<model_traits>;

struct permits {
  queue waiting;
  plain<int> left{0};

  class leaf final : public queue::leaf {
   public:
    explicit leaf(permits& of) : queue::leaf(of.waiting), of_(of) {}

   private:
    bool take() noexcept override {
      const int before = of_.left;
      if (before == 0) return false;
      of_.left = before - 1;
      return true;
    }
    permits& of_;
  };
  void give() {
    waiting.wake_one([this]() noexcept {
      const int had = left;
      left = had + 1;
    });
  }
};

TEST(RetryOrders, AWakeIsNeverMissed) {
  for (const bool in_loop : {false, true}) {
    expect_all_orders([=](world& w) {
      permits all;
      one_coroutine_loop loop;
      int taken = 0;
      w.spawn([&] {
        perform_of p(in_loop ? &loop : nullptr);
        permits::leaf one(all);
        taken += p({&one}) == 0;
      });
      w.spawn([&] { all.give(); });
      w.run();
      w.check(taken == 1, "what was given is taken");
    });
  }
}

// Each that takes gives back, so all end; and the one that waits alone has only its wake.
void a_wake_that_is_not_used(world& w, bool meets) {
  permits all;
  numbers at;
  perform_of leaves(nullptr);
  bool taken = false;
  w.spawn([&] {
    permits::leaf one(all);
    numbers::receiver number(at);
    if (leaves({&number, &one}) == 1) all.give();
  });
  w.spawn([&] {
    perform_of p(nullptr);
    permits::leaf one(all);
    taken = p({&one}) == 0;
    all.give();
  });
  w.spawn([&] {
    all.give();
    if (!meets) return leaves.cancel();
    perform_of p(nullptr);
    int value = 7;
    permits::leaf one(all);
    numbers::sender number(at, value);
    if (p({&number, &one}) == 1) all.give();
  });
  w.run();
  w.check(taken, "the other one has taken it");
}

TEST(RetryOrders, AWakeThatIsNotUsedIsPassedOn) {
  for (const bool meets : {false, true}) {
    expect_exhausted(explore({.bound = is_long() ? 3U : 2U, .schedules = UINT64_MAX},
                             [=](world& w) { a_wake_that_is_not_used(w, meets); }));
  }
}

TEST(RetryOrders, AQueueMayEndWhenAnOpHasTaken) {
  expect_all_orders([](world& w) {
    std::optional<permits> all(std::in_place);
    w.spawn([&] { all->give(); });
    w.spawn([&] {
      perform_of p(nullptr);
      permits::leaf one(*all);
      p({&one});
      all.reset();
    });
    w.run();
  });
}

}  // namespace
}  // namespace bast::interleave::op_orders
