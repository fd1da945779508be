// SPDX-License-Identifier: Apache-2.0
//
// `step`: its four kinds, and what each carries when moved.
#include "bast/coro/step.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

template <class Yield>
std::string kinds_of(const step<Yield>& of) {
  return std::string(of.yielded() ? "yielded " : "") + (of.finished() ? "finished " : "") +
         (of.parked() ? "parked " : "") + (of.failed() ? of.error().message() : "");
}

TEST(Step, IsExactlyOneOfFour) {
  EXPECT_EQ(kinds_of(step<int>::of_yield(3)), "yielded ");
  EXPECT_EQ(kinds_of(step<int>::of_finish()), "finished ");
  EXPECT_EQ(kinds_of(step<void>::of_yield({})), "yielded ");
  EXPECT_EQ(kinds_of(step<void>::of_park()), "parked ");
  EXPECT_EQ(kinds_of(step<void>(fail(errc::busy, "resume", "it runs"))), "resume: busy: it runs");
  static_assert(!std::is_convertible_v<step<int>, bool>);
  static_assert(!std::is_constructible_v<bool, step<int>>);
  static_assert(!std::is_copy_constructible_v<step<int>>);
  static_assert(std::is_trivially_destructible_v<step<int>>);
}

TEST(Step, AMoveCarriesWhatThereIs) {
  using owner = std::shared_ptr<int>;
  const auto token = std::make_shared<int>(7);
  step<owner> first = step<owner>::of_yield(owner(token));
  step<owner> second = std::move(first);
  EXPECT_EQ(*second.value(), 7);
  EXPECT_EQ(token.use_count(), 2);

  second = step<owner>::of_yield(std::make_shared<int>(8));
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(*std::as_const(second).value(), 8);

  second = fail(errc::finished, "resume", "it ended");
  EXPECT_EQ(second.error().message(), "resume: finished: it ended");
  step<owner> third = std::move(second);
  EXPECT_EQ(third.error().kind(), errc::finished);

  third = step<owner>::of_yield(owner(token));
  step<owner>& same = third;
  third = std::move(same);
  EXPECT_EQ(token.use_count(), 2);
  const owner out = std::move(third).value();
  EXPECT_EQ(out, token);

  third = step<owner>::of_park();
  EXPECT_EQ(kinds_of(third), "parked ");
  EXPECT_EQ(token.use_count(), 2) << "`out` and `token`";
}

TEST(StepDeath, X5_AskingForWhatIsNotThereEndsTheProcess) {
  auto finished = step<int>::of_finish();
  EXPECT_DEATH((void)finished.value(), "step::value: the coroutine yielded nothing");
  EXPECT_DEATH((void)finished.error(), "step::error: the step did not fail");
}

}  // namespace
}  // namespace bast
