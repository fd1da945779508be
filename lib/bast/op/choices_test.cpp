// SPDX-License-Identifier: Apache-2.0
//
// The choices that say what has committed, the one that does not wait, and `finally`.
#include "bast/op/choices.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast {
namespace {

using test::rendezvous;

class Choices : public testing::Test {
 protected:
  coro<> begin(std::function<void()> body) {
    coro<> made = pool.make(std::move(body)).value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }
  /// A function for `finally` that notes how its arm ended.
  auto note() {
    return [this](bool aborted) noexcept { notes += aborted ? "a" : "c"; };
  }

  ready_queue loop;
  coro_pool pool = coro_pool::create().value();
  rendezvous<int> at;
  std::string notes;
};

TEST_F(Choices, ANamedChoiceSaysWhichArmHasCommitted) {
  const auto op =
      named_choice(named_arm{"number", at.receive()}, named_arm{"never", never_ready<int>()});
  EXPECT_FALSE(poll(op));
  auto waits = begin([&] {
    const auto [name, value] = perform(op).value();
    EXPECT_EQ(name, "number");
    EXPECT_EQ(value, 7);
  });
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(perform(named_choice(named_arm{"void", always()})).value().name, "void");
  // A range, and values that can only be moved.
  const std::vector<named_arm<never_op<int>>> none;
  EXPECT_FALSE(poll(named_choice(none)));
  std::vector<named_arm<always_op<std::unique_ptr<int>>>> one;
  one.push_back({"moved", always(std::make_unique<int>(3))});
  auto got = perform(named_choice(std::move(one)));
  EXPECT_EQ(got->name, "moved");
  EXPECT_EQ(*got->value, 3);
}

TEST_F(Choices, ABooleanChoiceDropsTheValues) {
  EXPECT_EQ(perform(boolean_choice(always(1), never_ready<std::string>())), true);
  EXPECT_EQ(perform(boolean_choice(never_ready<void>(), always())), false);
  EXPECT_EQ(
      perform(boolean_choice(fail_with<int>({errc::closed, "test", "closed"}), never_ready<void>()))
          .error(),
      errc::closed);
}

TEST_F(Choices, ARaceCallsItsFunctionForTheWinner) {
  const auto add = [](std::size_t index, int value) {
    return static_cast<int>(10 * index) + value;
  };
  EXPECT_EQ(perform(race(std::tuple(never_ready<int>(), always(2)), add)), 12);
  std::vector<wrap_op<always_op<int>, std::function<int(int)>>> ops;
  for (int i = 0; i < 3; ++i)
    ops.push_back(wrap(always(i), std::function<int(int)>(std::negate{})));
  const auto op = race(ops, add);
  std::vector<int> seen(3);
  for (int i = 0; i < 300; ++i) ++seen[static_cast<std::size_t>(perform(op).value() / 9)];
  for (const int count : seen) EXPECT_GT(count, 50);
  // Of void, with a function that can only be moved, and that fails.
  EXPECT_EQ(perform(race(std::tuple(always()),
                         [held = std::make_unique<int>(1)](std::size_t index) -> result<int> {
                           if (index != 0 || *held != 1) return 0;
                           return fail(errc::busy, "test", "lost");
                         }))
                .error(),
            errc::busy);
  EXPECT_FALSE(poll(race(std::vector<never_op<int>>(), add)));
}

TEST_F(Choices, OrElseNeverWaits) {
  int runs = 0;
  const auto fallback = [&] { return ++runs; };
  EXPECT_EQ(perform(or_else(always(7), fallback)), 7);
  EXPECT_EQ(runs, 0);
  const auto op = or_else(finally(at.receive(), note()), fallback);
  EXPECT_EQ(runs, 0);  // O-1
  EXPECT_EQ(perform(op), 1);
  EXPECT_EQ(perform(op), 2);
  EXPECT_EQ(notes, "aa");
  EXPECT_EQ(at.waiting(), 0U);
  int seven = 7;
  auto sends = begin([&] { EXPECT_TRUE(perform(at.send(seven))); });
  EXPECT_EQ(perform(op), 7);
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, "aac");
  EXPECT_TRUE(perform(or_else(never_ready<void>(), [] {})));
  EXPECT_EQ(perform(or_else(never_ready<int>(),
                            []() -> result<int> { return fail(errc::closed, "test", "empty"); }))
                .error(),
            errc::closed);
  EXPECT_EQ(perform(or_else(never_ready<long>(), [] { return 3; })), 3L);
}

// What it takes in a choice is what the choice gives: nothing is consumed by an arm that loses.
TEST_F(Choices, O11_OrElseInAChoiceTakesNothingInVain) {
  int sent = 0;
  int received = 0;
  auto sends = begin([&] {
    for (int i = 1; i <= 100; ++i) {
      EXPECT_TRUE(perform(at.send(i)));
      ++sent;
    }
  });
  for (int round = 0; sends.state() == coro_state::suspended && round < 10'000; ++round) {
    const int got = perform(choice(always(0), or_else(at.receive(), [] { return -1; }))).value();
    if (got > 0) {
      EXPECT_EQ(got, ++received);
    }
    (void)loop.run();
  }
  EXPECT_EQ(received, 100);
  EXPECT_EQ(sent, 100);
}

TEST_F(Choices, FinallyRunsOnceHoweverItsArmEnds) {
  const auto watched = [&](auto op) { return finally(std::move(op), note()); };
  EXPECT_EQ(perform(wrap(watched(wrap(always(1), [&](int n) { return notes += "w", n; })),
                         [&](int n) { return notes += "W", n; })),
            1);
  EXPECT_EQ(notes, "wcW") << "after the wraps within, before those around";
  notes.clear();
  EXPECT_EQ(perform(choice_biased(watched(never_ready<int>()), always(2))), 2);
  EXPECT_EQ(perform(choice_biased(always(2), watched(never_ready<int>()))), 2);
  EXPECT_EQ(notes, "a") << "not if it was not tried";
  notes.clear();
  const auto fails =
      guard([]() -> result<always_op<int>> { return fail(errc::busy, "test", "no"); });
  EXPECT_EQ(perform(choice_biased(watched(never_ready<int>()), fails)).error(), errc::busy);
  EXPECT_FALSE(poll(watched(at.receive())));
  EXPECT_EQ(notes, "aa");
  notes.clear();
  auto source = cancel_source::create().value();
  auto waits = begin([&] {
    const cancel_binding governed(source.token());
    EXPECT_EQ(perform(watched(at.receive())).error(), errc::cancelled);
    EXPECT_EQ(perform(watched(always(1))).error(), errc::cancelled);  // It failed at once.
  });
  EXPECT_EQ(notes, "");
  source.cancel();
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, "a");
#if BAST_EXCEPTIONS
  notes.clear();
  const auto throws = [](int) -> int { throw std::runtime_error("wrap"); };
  EXPECT_THROW((void)perform(watched(wrap(always(1), throws))), std::runtime_error);
  EXPECT_EQ(notes, "c");
  auto released = begin([&] { (void)perform(watched(at.receive())); });
  EXPECT_TRUE(released.release());
  EXPECT_EQ(notes, "ca");
  auto never_takes = begin([&] { (void)perform(watched(at.receive())); });
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  EXPECT_TRUE(never_takes.release());
  EXPECT_EQ(notes, "cac");
#endif
}

TEST_F(Choices, O1_TheyMoveAndCopyAsTheirPartsDo) {
  const auto copyable = or_else(finally(at.receive(), note()), [] { return 1; });
  static_assert(std::copy_constructible<std::remove_const_t<decltype(copyable)>>);
  using moved = always_op<std::unique_ptr<int>>;
  using named = decltype(named_choice(named_arm{"m", std::declval<moved>()}));
  static_assert(std::move_constructible<named> && !std::copy_constructible<named>);
  EXPECT_EQ(perform(copyable), 1);
  EXPECT_EQ(perform(auto(copyable)), 1);
  EXPECT_EQ(notes, "aa");
}

}  // namespace
}  // namespace bast
