// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that wait for a group: cancelled, released, abandoned, forked.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/coro.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

/// Waiting coroutines and their results: '-' while one waits.
class WaitGroupOfCoroutines : public testing::Test {
 protected:
  using group_type = std::unique_ptr<wait_group>;

  void wait_in(std::size_t place, cancel_token governing = {}) {
    if (said_.size() <= place) said_.resize(place + 1, '-');
    said_[place] = '-';
    auto c = pool_.acquire().value();
    // Captures would be leaked with an abandoned stack.
    tokens_.push_back(std::move(governing));
    ASSERT_FALSE(c.start([this, place, &governing = tokens_.back()] {
                    const cancel_binding bound(governing);
                    const auto ended = members_->wait();
                    said_[place] = ended ? 'd' : (ended.error() == errc::cancelled ? 'c' : '?');
                  }).failed());
    coroutines_.push_back(std::move(c));
  }

  ready_queue ready_;
  coro_pool pool_ = coro_pool::create().value();
  group_type members_ = std::make_unique<wait_group>(wait_group::create().value());
  std::string said_;
  std::deque<cancel_token> tokens_;
  std::vector<coro<>> coroutines_;
};

TEST_F(WaitGroupOfCoroutines, Y11_AtZeroAllThatWaitComeBackAndTheNextCycleBegins) {
  wait_in(0);
  EXPECT_EQ(said_, "d") << "no member is active";
  EXPECT_EQ(ready_.waiting(), 0U);
  for (int cycle = 0; cycle < 3; ++cycle) {
    ticket first = members_->begin();
    ticket last = members_->begin();
    wait_in(0);
    wait_in(1);
    first.done();
    EXPECT_EQ(ready_.run(), 0U);
    last.done();
    EXPECT_EQ(said_, "--") << "the last member runs no waiter";
    ticket next = members_->begin();
    wait_in(2);
    EXPECT_EQ(ready_.run(), 2U);
    EXPECT_EQ(said_, "dd-") << "new members do not matter";
    next.done();
    EXPECT_EQ(ready_.run(), 1U);
    EXPECT_EQ(said_, "ddd");
    said_.clear();
  }
}

TEST_F(WaitGroupOfCoroutines, C10_InACancelledContextNobodyWaits) {
  const cancel_source source = cancel_source::create().value();
  source.cancel();
  wait_in(0, source.token());
  EXPECT_EQ(said_, "c") << "although it is idle";
  const ticket member = members_->begin();
  wait_in(1, source.token());
  EXPECT_EQ(said_, "cc");
}

TEST_F(WaitGroupOfCoroutines, C18_ACancelEndsTheWaitAndLeavesNoTrace) {
  const cancel_source source = cancel_source::create().value();
  ticket member = members_->begin();
  wait_in(0);
  wait_in(1, source.token());
  wait_in(2);
  wait_in(3, source.token());
  source.cancel({.code = cancel_code::shutdown});
  EXPECT_TRUE(ready_.has_ready()) << "queued when cancel has returned";
  EXPECT_EQ(said_, "----");
  EXPECT_EQ(ready_.run(), 2U);
  EXPECT_EQ(said_, "-c-c");
  EXPECT_EQ(members_->active(), 1U);
  member.done();
  EXPECT_EQ(ready_.run(), 2U);
  EXPECT_EQ(said_, "dcdc");
}

TEST_F(WaitGroupOfCoroutines, C11_WhatWasDoneBeforeTheCancelStays) {
  const cancel_source source = cancel_source::create().value();
  for (const bool done_first : {true, false}) {
    const cancel_source each = source.child().value();
    ticket member = members_->begin();
    wait_in(0, each.token());
    if (done_first) member.done();
    each.cancel();
    member.done();
    EXPECT_EQ(ready_.run(), 1U);
    EXPECT_EQ(said_, done_first ? "d" : "c");
  }
}

TEST_F(WaitGroupOfCoroutines, C10_ABindingOfTheDefaultTokenShieldsAWait) {
  const cancel_source source = cancel_source::create().value();
  ticket member = members_->begin();
  auto c = pool_.acquire().value();
  bool waited = false;
  ASSERT_TRUE(c.start([&] {
                 const cancel_binding bound(source.token());
                 {
                   const cancel_binding shielded({});
                   waited = members_->wait().has_value();
                 }
                 EXPECT_EQ(this_coro::checkpoint().error(), errc::cancelled);
               }).parked());
  source.cancel();
  EXPECT_FALSE(ready_.has_ready());
  member.done();
  EXPECT_EQ(ready_.run(), 1U);
  EXPECT_TRUE(waited);
}

TEST_F(WaitGroupOfCoroutines, C9_ACallbackMayNotWait) {
  const cancel_source source = cancel_source::create().value();
  std::optional<errc> refused;
  const cancel_callback waits(source.token(),
                              [&]() noexcept { refused = test::kind_of(members_->wait()); });
  auto c = pool_.acquire().value();
  ASSERT_TRUE(c.start([&] { source.cancel(); }).finished());
  EXPECT_EQ(refused, errc::bad_state);
}

TEST_F(WaitGroupOfCoroutines, Y14_WhoeverWasReleasedMayDestroyIt) {
  ticket member = members_->begin();
  wait_in(0);
  auto c = pool_.acquire().value();
  ASSERT_TRUE(c.start([&] {
                 EXPECT_TRUE(members_->wait());
                 members_.reset();
               }).parked());
  member.done();
  EXPECT_EQ(ready_.run(), 2U);
  EXPECT_EQ(said_, "d");
  EXPECT_EQ(members_, nullptr);
}

/// A caller that saw it idle may destroy it; one that was cancelled earlier returns later.
TEST_F(WaitGroupOfCoroutines, Y14_ACancelledWaiterOutlivesItsGroup) {
  const auto begin = [this](const cancel_source& source) {
    members_ = std::make_unique<wait_group>(wait_group::create().value());
    ticket member = members_->begin();
    wait_in(0, source.token());
    source.cancel();
    member.done();
    EXPECT_TRUE(members_->is_idle());
    members_.reset();
  };
  const test::leak_baseline before;
  for (int ending = 0; ending < (BAST_EXCEPTIONS ? 3 : 2); ++ending) {
    const cancel_source source = cancel_source::create().value();
    begin(source);
    coro<>& waiter = coroutines_.back();
    const bool ended = ending == 0   ? ready_.run() == 1
                       : ending == 1 ? waiter.release(abandon).has_value()
                                     : waiter.release().has_value();
    EXPECT_TRUE(ended);
    EXPECT_EQ(ready_.waiting(), 0U);
    EXPECT_FALSE(ready_.has_ready());
    EXPECT_EQ(said_, ending == 0 ? "c" : "-");
    coroutines_.clear();
    tokens_.clear();
  }
}

TEST_F(WaitGroupOfCoroutines, IO15_InAForkedChildItIsDead) {
  const cancel_source source = cancel_source::create().value();
  ticket member = members_->begin();
  wait_in(0);
  wait_in(1, source.token());
  source.cancel();
  EXPECT_EQ(test::in_child([&] {
              if (members_->active() != 0) return 1;
              const ticket more = members_->begin();
              if (members_->active() != 0 || more.token().can_be_cancelled()) return 2;
              if (members_->wait().error() != errc::forked) return 3;
              member.done();
              source.cancel();
              if (ready_.has_ready() || ready_.run() != 0) return 4;
              members_.reset();  // no member is active here
              for (coro<>& each : coroutines_) {
                if (!each.release(abandon)) return 5;
              }
              return said_ == "--" ? 0 : 6;
            }),
            0);
  member.done();
  EXPECT_EQ(ready_.run(), 2U) << "the queue of the parent is unchanged";
  EXPECT_EQ(said_, "dc");
}

TEST_F(WaitGroupOfCoroutines, F12_AWaiterThatIsAbandonedIsTakenOut) {
  const cancel_source source = cancel_source::create().value();
  for (const bool woken : {false, true}) {
    ticket member = members_->begin();
    wait_in(0, source.token());
    wait_in(1, source.token());
    if (woken) member.done();
    ASSERT_TRUE(coroutines_[0].release(abandon));
    auto next = pool_.acquire().value();
    ASSERT_FALSE(next.start([] {
                       volatile unsigned char all[8 << 10];
                       for (auto& byte : all) byte = 0x41;
                     })
                     .failed());
    member.done();
    EXPECT_EQ(ready_.run(), 1U);
    EXPECT_EQ(said_, "-d");
    coroutines_.clear();
  }
  EXPECT_TRUE(source.cancel());
  EXPECT_FALSE(ready_.has_ready());
}

#if BAST_EXCEPTIONS
TEST_F(WaitGroupOfCoroutines, F8_AWaiterThatIsReleasedIsTakenOut) {
  const cancel_source source = cancel_source::create().value();
  ticket member = members_->begin();
  for (std::size_t i = 0; i < 3; ++i) wait_in(i, source.token());
  ASSERT_TRUE(coroutines_[1].release());
  member.done();
  ASSERT_TRUE(coroutines_[2].release());
  EXPECT_EQ(ready_.run(), 1U);
  EXPECT_EQ(said_, "d--");
  source.cancel();
  EXPECT_FALSE(ready_.has_ready());
}
#endif

}  // namespace
}  // namespace bast
