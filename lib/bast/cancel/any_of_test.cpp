// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"

namespace bast {
namespace {

TEST(AnyOf, C19_FiresWithTheFirstReasonAndForgetsTheRest) {
  const cancel_source a = test::root_source();
  const cancel_source b = test::root_source();
  const cancel_token joined = cancel_token::any_of(a.token(), b.token()).value();
  int ran = 0;
  const cancel_callback callback(joined, [&]() noexcept { ++ran; });
  EXPECT_FALSE(joined.is_cancelled());
  b.cancel({.code = cancel_code::linked_exit});
  EXPECT_EQ(joined.reason()->code, cancel_code::linked_exit);
  EXPECT_EQ(joined.reason()->origin, b.id());
  a.cancel({.code = cancel_code::shutdown});
  EXPECT_EQ(joined.reason()->code, cancel_code::linked_exit);
  EXPECT_EQ(ran, 1);
}

TEST(AnyOf, C19_OfNothingNeverFires) {
  EXPECT_FALSE(cancel_token::any_of()->can_be_cancelled());
  EXPECT_FALSE(cancel_token::any_of(cancel_token(), cancel_token())->can_be_cancelled());
}

TEST(AnyOf, C19_OfOneOrOfOneThatFiredIsThatOne) {
  const cancel_source a = test::root_source();
  const cancel_source b = test::root_source();
  EXPECT_EQ(cancel_token::any_of(cancel_token(), a.token()).value(), a.token());
  b.cancel();
  EXPECT_EQ(cancel_token::any_of(a.token(), b.token()).value(), b.token());
}

TEST(AnyOf, C6_ACallbackIsEnoughToHoldIt) {
  const cancel_source a = test::root_source();
  const cancel_source b = test::root_source();
  int ran = 0;
  {
    const cancel_callback callback(cancel_token::any_of(a.token(), b.token()).value(),
                                   [&]() noexcept { ++ran; });
    EXPECT_TRUE(a.cancel());
    EXPECT_EQ(ran, 1);
  }
  b.cancel();
  EXPECT_EQ(ran, 1);
}

TEST(AnyOf, MayEndInsideItsOwnCallback) {
  const cancel_source a = test::root_source();
  const cancel_source b = test::root_source();
  auto joined = std::make_unique<cancel_token>(cancel_token::any_of(a.token(), b.token()).value());
  const cancel_callback first(b.token(), []() noexcept {});
  const cancel_callback drops(a.token(), []() noexcept {});
  {
    const cancel_callback ends(*joined, [&]() noexcept { joined.reset(); });
    a.cancel();
    EXPECT_EQ(joined, nullptr);
  }
  b.cancel();
}

TEST(AnyOf, OutlivesItsInputsAndTheyOutliveIt) {
  cancel_token joined;
  {
    const cancel_source a = test::root_source();
    const cancel_source b = test::root_source();
    joined = cancel_token::any_of(a.token(), b.token()).value();
  }
  EXPECT_FALSE(joined.is_cancelled());
  const cancel_source c = test::root_source();
  joined = cancel_token::any_of(joined, c.token()).value();
  joined = {};
  c.cancel();
}

}  // namespace
}  // namespace bast
