// SPDX-License-Identifier: Apache-2.0
//
// The combinators: what they commit, in which order their functions run, and what an arm leaves
// that loses.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/heap_growth.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast {
namespace {

using test::rendezvous;
using words = std::vector<std::string>;

class Algebra : public testing::Test {
 protected:
  coro<> begin(std::function<void()> body) {
    coro<> made = pool.make(std::move(body)).value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }
  /// A function that notes its call.
  auto note(std::string what) {
    return [this, what = std::move(what)]() noexcept { notes.push_back(what); };
  }
  /// An arm that never commits, and notes how it ends.
  auto losing(const std::string& name) { return on_abort(never_ready<int>(), note(name)); }

  ready_queue loop;
  coro_pool pool = coro_pool::create().value();
  rendezvous<int> at;
  words notes;
};

/// The numbers that `op()` gives in so many performs, and how often each.
template <class F>
std::array<int, 8> counts_of(F op, int performs) {
  std::array<int, 8> out = {};
  for (int i = 0; i < performs; ++i) ++out[static_cast<std::size_t>(perform(op()).value())];
  return out;
}

TEST_F(Algebra, O4_ChoicesAndWrapsFollowTheirLaws) {
  const auto doubled = [](int n) { return 2 * n; };
  const auto next = [](int n) { return n + 1; };
  EXPECT_EQ(perform(choice(always(1))), 1);
  EXPECT_EQ(perform(choice(never_ready<int>(), always(1))), 1);
  EXPECT_EQ(perform(wrap(wrap(always(3), next), doubled)), 8);
  EXPECT_EQ(perform(wrap(always(3), [&](int n) { return doubled(next(n)); })), 8);
  EXPECT_EQ(perform(wrap(choice(never_ready<int>(), always(3)), doubled)), 6);
  EXPECT_EQ(perform(choice(wrap(never_ready<int>(), doubled), wrap(always(3), doubled))), 6);
  EXPECT_EQ(perform(guard([] { return always(4); })), 4);
  EXPECT_FALSE(poll(choice(std::vector<never_op<int>>())));
  EXPECT_FALSE(poll(never_ready<int>()));
  EXPECT_TRUE(perform(always()));
}

TEST_F(Algebra, O10_AWrapPassesErrorsAndMayFailItself) {
  int runs = 0;
  const auto counted = [&](int n) {
    ++runs;
    return n;
  };
  const error closed(errc::closed, "test", "it is closed");
  EXPECT_EQ(perform(wrap(fail_with<int>(closed), counted)).error(), errc::closed);
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(
      perform(wrap(always(1), [&](int) -> result<std::string> { return std::unexpected(closed); }))
          .error(),
      errc::closed);
  EXPECT_EQ(perform(wrap(always(1), [](int n) -> result<std::string> { return std::to_string(n); }))
                .value(),
            "1");
  EXPECT_TRUE(perform(wrap(always(), [] {})));
}

#if BAST_EXCEPTIONS
TEST_F(Algebra, WhatAGuardOrAWrapThrowsLeavesPerform) {
  const auto throws = [](int) -> int { throw std::runtime_error("wrap"); };
  EXPECT_THROW((void)perform(wrap(always(1), throws)), std::runtime_error);
  const auto bad_guard = guard([]() -> always_op<int> { throw std::runtime_error("guard"); });
  EXPECT_THROW((void)perform(choice_biased(losing("lost"), bad_guard)), std::runtime_error);
  EXPECT_EQ(notes, (words{"lost"}));
  // A commit stays one: the release of its bracket still runs, once.
  const auto wrapped = bracket(
      [&] { return result<int>(1); }, [&](int&) { return wrap(always(2), throws); },
      [&](int&, bool aborted) noexcept { notes.push_back(aborted ? "aborted" : "released"); });
  EXPECT_THROW((void)perform(wrapped), std::runtime_error);
  EXPECT_EQ(notes, (words{"lost", "released"}));
}
#endif

TEST_F(Algebra, O13_ReadyArmsAreChosenUniformly) {
  internal::seed_choices(7);
  constexpr int performs = 40'000;
  const auto op = [] {
    return choice(always(0), choice(always(1), never_ready<int>(), choice(always(2), always(3))));
  };
  double chi = 0;
  const auto counts = counts_of(op, performs);
  for (int i = 0; i < 4; ++i) {
    const double off = counts[static_cast<std::size_t>(i)] - performs / 4.0;
    chi += off * off / (performs / 4.0);
  }
  EXPECT_LT(chi, 16.3) << "three degrees of freedom: 0.001";
  internal::seed_choices(7);
  const auto once = counts_of(op, 100);
  internal::seed_choices(7);
  EXPECT_EQ(counts_of(op, 100), once);
}

TEST_F(Algebra, O13_MoreArmsThanFitOnTheStackAreOrderedToo) {
  std::vector<wrap_op<always_op<int>, std::function<int(int)>>> arms;
  for (int i = 0; i < 100; ++i) {
    arms.push_back(wrap(always(i), std::function<int(int)>([](int n) { return n / 50; })));
  }
  const auto counts = counts_of([&] { return choice(arms); }, 2000);
  EXPECT_GT(counts[0], 800);
  EXPECT_GT(counts[1], 800);
  EXPECT_EQ(counts[0] + counts[1], 2000);
}

TEST_F(Algebra, ABiasedChoiceTakesTheFirstThatIsReady) {
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(perform(choice_biased(never_ready<int>(), always(1), always(2))), 1);
  }
  // One arm of an outer choice: half, not two thirds.
  internal::seed_choices(7);
  const auto counts =
      counts_of([] { return choice(always(0), choice_biased(always(1), always(2))); }, 4000);
  EXPECT_NEAR(counts[0], 2000, 200);
  EXPECT_EQ(counts[2], 0);
}

TEST_F(Algebra, FirstReadyGivesAnIndex) {
  EXPECT_EQ(perform(first_ready(never_ready<int>(), never_ready<void>(), always())), 2U);
  EXPECT_EQ(perform(first_ready(always(std::string("x")), never_ready<int>())), 0U);
}

TEST_F(Algebra, O6_AGuardRunsOncePerPerformAndOnlyIfItsArmIsTried) {
  int runs = 0;
  const auto counted = guard([&] {
    ++runs;
    return never_ready<int>();
  });
  EXPECT_EQ(runs, 0);  // O-1
  EXPECT_FALSE(poll(counted));
  EXPECT_FALSE(poll(choice(counted, never_ready<int>())));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(perform(choice_biased(always(1), counted)), 1);
  EXPECT_EQ(runs, 2);
  // Waiting makes it no second time.
  auto waits = begin([&] { (void)perform(choice(counted, at.receive())); });
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(runs, 3);
}

TEST_F(Algebra, O6_AGuardsFailureIsThatOfThePerform) {
  const auto fails =
      guard([]() -> result<always_op<int>> { return fail(errc::invalid, "test", "no op"); });
  EXPECT_EQ(perform(choice_biased(losing("first"), fails, losing("never tried"))).error(),
            errc::invalid);
  EXPECT_EQ(notes, (words{"first"}));
  EXPECT_EQ(poll(fails)->error(), errc::invalid);
}

TEST_F(Algebra, O7_ANackFiresIfAndOnlyIfItsArmLoses) {
  std::optional<nack> mine;
  const auto asks = [&](auto op) {
    return with_nack([&mine, op](const nack& n) {
      mine = n;
      return op;
    });
  };
  EXPECT_EQ(perform(asks(always(1))), 1);
  EXPECT_FALSE(mine->has_fired());
  // By another arm.
  EXPECT_EQ(perform(choice_biased(asks(never_ready<int>()), always(2))), 2);
  EXPECT_TRUE(mine->has_fired());
  EXPECT_TRUE(poll(mine->fired()));
  // An arm that is not tried makes none.
  mine.reset();
  EXPECT_EQ(perform(choice_biased(always(3), asks(never_ready<int>()))), 3);
  EXPECT_FALSE(mine);
  // By a cancel, while it waits; and who waits for the nack is woken.
  auto source = cancel_source::create().value();
  auto client = begin([&] {
    const cancel_binding governed(source.token());
    EXPECT_EQ(perform(asks(at.receive())).error(), errc::cancelled);
  });
  auto server = begin([&, heard = *mine] {
    EXPECT_TRUE(perform(heard.fired()));
    notes.push_back("heard");
  });
  EXPECT_FALSE(mine->has_fired());
  EXPECT_TRUE(notes.empty());
  source.cancel();
  while (loop.run() != 0) {
  }
  EXPECT_EQ(notes, (words{"heard"}));
#if BAST_EXCEPTIONS
  // By a release.
  auto released = begin([&] { (void)perform(asks(at.receive())); });
  EXPECT_TRUE(released.release());
  EXPECT_TRUE(mine->has_fired());
#endif
}

TEST_F(Algebra, O8_TheFunctionsOfLosingArmsRunInTheirOrder) {
  const auto both = [&](auto other) {
    return choice(losing("1"), on_abort(choice(at.receive(), losing("3")), note("2")), other);
  };
  auto waits = begin([&] { EXPECT_EQ(perform(both(never_ready<int>())), 7); });
  EXPECT_TRUE(notes.empty());
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  EXPECT_TRUE(notes.empty());  // On the performing fiber.
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, (words{"1", "3"}));
  notes.clear();
  EXPECT_FALSE(poll(both(never_ready<int>())));
  EXPECT_EQ(notes, (words{"1", "3", "2"})) << "of nested ones the inner first";
}

TEST_F(Algebra, O9_ABracketReleasesExactlyOnceIfItHasAcquired) {
  const auto bracketed = [&](auto op) {
    return bracket([&] { return result<std::string>("r"); },
                   [&, op](std::string& r) {
                     notes.push_back("use " + r);
                     return wrap(op, [&](int n) {
                       notes.push_back("inner wrap");
                       return n;
                     });
                   },
                   [&](std::string& r, bool aborted) noexcept {
                     notes.push_back((aborted ? "abort " : "release ") + r);
                   });
  };
  const auto outer = [&](int n) {
    notes.push_back("outer wrap");
    return n;
  };
  EXPECT_EQ(perform(wrap(bracketed(always(1)), outer)), 1);
  EXPECT_EQ(notes, (words{"use r", "inner wrap", "release r", "outer wrap"}));
  notes.clear();
  EXPECT_EQ(perform(choice_biased(bracketed(never_ready<int>()), always(2))), 2);
  EXPECT_EQ(notes, (words{"use r", "abort r"}));
  notes.clear();
  EXPECT_EQ(perform(choice_biased(always(2), bracketed(never_ready<int>()))), 2);
  EXPECT_TRUE(notes.empty());
  const auto fails = bracket([]() -> result<int> { return fail(errc::busy, "test", "taken"); },
                             [](int&) { return always(1); },
                             [&](int&, bool) noexcept { notes.push_back("released"); });
  EXPECT_EQ(perform(fails).error(), errc::busy);
  EXPECT_TRUE(notes.empty());
#if BAST_EXCEPTIONS
  // The coroutine is released when its arm has committed, and never takes the value.
  auto released = begin([&] { (void)perform(bracketed(at.receive())); });
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  EXPECT_EQ(notes, (words{"use r"}));
  EXPECT_TRUE(released.release());
  EXPECT_EQ(notes, (words{"use r", "release r"}));
#endif
}

/// Notes its end, once however often it was moved.
class noted_end {
 public:
  explicit noted_end(words& notes) noexcept : notes_(&notes) {}
  noted_end(noted_end&& other) noexcept : notes_(std::exchange(other.notes_, nullptr)) {}
  noted_end& operator=(noted_end&&) = delete;
  noted_end(const noted_end&) = delete;
  noted_end& operator=(const noted_end&) = delete;
  ~noted_end() {
    if (notes_ != nullptr) notes_->push_back("end");
  }

 private:
  words* notes_;
};

TEST_F(Algebra, O9_ABracketsResourceEndsWithItsRelease) {
  const auto bracketed = [&](auto op) {
    return bracket(
        [&] { return result<noted_end>(noted_end(notes)); },
        [&, op](noted_end&) {
          notes.push_back("use");
          return op;
        },
        [&](noted_end&, bool aborted) noexcept { notes.push_back(aborted ? "abort" : "release"); });
  };
  const auto outer = [&](int n) {
    notes.push_back("outer wrap");
    return n;
  };
  EXPECT_EQ(perform(wrap(bracketed(always(1)), outer)), 1);
  EXPECT_EQ(notes, (words{"use", "release", "end", "outer wrap"}));
  notes.clear();
  EXPECT_EQ(perform(choice_biased(bracketed(never_ready<int>()), wrap(always(2), outer))), 2);
  EXPECT_EQ(notes, (words{"use", "abort", "end", "outer wrap"}));
  notes.clear();
  EXPECT_FALSE(poll(bracketed(never_ready<int>())));
  EXPECT_EQ(notes, (words{"use", "abort", "end"}));
  notes.clear();
  // The guard within it fails when the resource is there.
  const auto got = perform(bracketed(
      guard([]() -> result<always_op<int>> { return fail(errc::busy, "test", "taken"); })));
  EXPECT_EQ(got.error(), errc::busy);
  EXPECT_EQ(notes, (words{"use", "abort", "end"}));
}

TEST_F(Algebra, ANackFreesItsState) {
  // Of an arm that commits, of one that loses, and of copies that outlive the perform.
  EXPECT_LT(test::heap_growth_of([] {
              std::optional<nack> kept, moved;
              const auto asks = [&](auto op) {
                return with_nack([&kept, op](const nack& n) {
                  kept = n;
                  return op;
                });
              };
              (void)perform(asks(always(1)));
              EXPECT_FALSE(kept->has_fired());
              (void)perform(choice_biased(asks(never_ready<int>()), always(2)));
              EXPECT_TRUE(kept->has_fired());
              moved = std::move(kept);
              moved = *std::as_const(moved);
              EXPECT_TRUE(perform(moved->fired()));
            }),
            test::heap_caches);
}

TEST_F(Algebra, MoreThan65534ArmsAreALimit) {
  const std::vector<rendezvous<int>::receive_op> most(65'534, at.receive());
  std::vector<rendezvous<int>::receive_op> more = most;
  more.push_back(at.receive());
  auto fails = begin([&] {
    const auto got = perform(choice(more));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().message(), "perform: limit reached: more than 65,534 arms");
  });
  EXPECT_EQ(at.waiting(), 0U);
  auto waits = begin([&] { EXPECT_EQ(perform(choice(most)), 7); });
  EXPECT_EQ(at.waiting(), 65'534U);
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(at.waiting(), 0U);
}

TEST_F(Algebra, O17_OnlyNacksAndRangesAllocateAndSayIfTheyCannot) {
  const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
  EXPECT_EQ(perform(choice(always(1), never_ready<int>())), 1);
  EXPECT_EQ(perform(choice(std::vector{always(1)})).error(), errc::no_memory);
  EXPECT_EQ(perform(with_nack([](const nack&) { return always(1); })).error(), errc::no_memory);
  EXPECT_EQ(none.injected(), 2U);
  // A wait, its commit and its end; and one that is cancelled.
  auto source = cancel_source::create();
  EXPECT_FALSE(source);
  auto waits = begin([&] {
    EXPECT_EQ(perform(choice(at.receive(), losing("lost"), guard([&] { return at.receive(); }))),
              7);
  });
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(none.injected(), 3U);
}

TEST_F(Algebra, ARangeFreesWhatItAllocated) {
  const std::vector two{always(1), always(2)};
  EXPECT_LT(test::heap_growth_of([&] { (void)perform(choice(two)); }), test::heap_caches);
}

#if BAST_EXCEPTIONS
/// A function whose copy throws when the countdown reaches zero.
struct fragile {
  std::shared_ptr<int> held;
  int* countdown;
  fragile(std::shared_ptr<int> holds, int& counts) : held(std::move(holds)), countdown(&counts) {}
  fragile(const fragile& other) : held(other.held), countdown(other.countdown) {
    if (--*countdown == 0) throw std::runtime_error("a copy");
  }
  fragile& operator=(const fragile&) = delete;
  ~fragile() = default;
  int operator()(int n) const { return n; }
};

TEST_F(Algebra, ARangeKeepsNothingOfWhatCannotBeMoved) {
  const auto held = std::make_shared<int>(1);
  int countdown = 1'000'000;
  int copies = 0;
  {
    std::vector<wrap_op<always_op<int>, fragile>> arms;
    arms.reserve(3);
    for (int i = 0; i < 3; ++i) arms.emplace_back(always(i), fragile(held, countdown));
    const auto op = choice(arms);
    const long before = held.use_count();
    countdown = 1'000'000;
    EXPECT_TRUE(perform(op));
    copies = 1'000'000 - countdown;
    EXPECT_GT(copies, 6);
    for (int nth = 1; nth <= copies; ++nth) {
      countdown = nth;
      EXPECT_THROW((void)perform(op), std::runtime_error) << nth;
      EXPECT_EQ(held.use_count(), before) << nth;
    }
  }
  EXPECT_EQ(held.use_count(), 1);
}
#endif

TEST_F(Algebra, O17_TheOrderOfManyArmsNeedsMemory) {
  const std::vector<always_op<int>> many(65, always(1));
  for (const std::uint64_t nth : {1U, 2U}) {
    const os::fault_scope one({.kind = os::call::allocate, .nth = nth});
    EXPECT_EQ(perform(choice(many)).error(), errc::no_memory);
    EXPECT_EQ(one.injected(), 1U);
  }
  EXPECT_EQ(perform(choice(many)), 1);
}

TEST_F(Algebra, O1_AnOpCanBePerformedAgain) {
  const auto op = choice(at.receive(), losing("lost"));
  for (int i = 0; i < 3; ++i) {
    auto waits = begin([&] { EXPECT_EQ(perform(op), i); });
    int value = i;
    EXPECT_TRUE(poll(at.send(value)));
    EXPECT_EQ(loop.run(), 1U);
    EXPECT_EQ(notes.size(), static_cast<std::size_t>(i + 1));
  }
}

}  // namespace
}  // namespace bast
