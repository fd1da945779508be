// SPDX-License-Identifier: Apache-2.0
//
// The laws that every op follows, as a suite for ops of yours. A subject describes the object:
//
//   struct latch_subject {
//     struct object { latch it; };                                   // any class, made anew
//     static auto op(object& of) { return of.it.opened(); }          // the op under test
//     static void make_ready(object& of) { of.it.open(); }
//     static std::size_t waiting(object& of) { return of.it.waiting(); }
//     static constexpr bool stays_ready = true;
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Latch, OpConformance, latch_subject);
//
//   make_ready   lets one perform of the op commit; if the object then `stays_ready`, all of them.
//                Called on any thread, and in coroutines and fibers. May perform an op itself, and
//                so wait, but not while a perform of the op waits. Ends early when it is cancelled.
//   waiting      how many nodes of the op's leaves are linked.
//
// If a subject has `keeps_what_is_ready`, its make_ready never waits, and what it has made ready is
// lost to no cancel.
//
// op_conformance_threads.hpp has the checks that need more threads; include that one for both.
// op_conformance_fibers.hpp has the suite for performs in fibers.
#pragma once

#include <gtest/gtest.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast::test {

/// Where the performs of the checks wait: in coroutines that a ready_queue resumes. The fibers are
/// elsewhere (op_conformance_fibers.hpp). A handle that is destroyed ends the wait of its body.
class loop_place {
 public:
  using handle = coro<>;

  /// Runs `body` until it waits or ends.
  handle begin(std::function<void()> body) { return begin_under(over_token_, std::move(body)); }
  /// The same, governed by what cancel() fires.
  handle begin_cancellably(std::function<void()> body) {
    return begin_under(cancelled_token_, std::move(body));
  }
  bool cancel() { return cancelled_source_.cancel(); }
  /// Runs those whose wait has ended until there is none.
  void settle() {
    while (loop_.run() != 0) {
    }
  }
  /// Cancels all others.
  void end() {
    over_.cancel();
    settle();
  }

 private:
  coro<> begin_under(const cancel_token& token, std::function<void()> body) {
    coro<> made = pool_
                      .make([&token, body = std::move(body)] {
                        const cancel_binding governed(token);
                        body();
                      })
                      .value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }

  ready_queue loop_;
  coro_pool pool_ = coro_pool::create().value();
  cancel_source over_ = cancel_source::create().value();
  cancel_source cancelled_source_ = cancel_source::create().value();
  cancel_token over_token_ = over_.token();
  cancel_token cancelled_token_ = cancelled_source_.token();
};

/// The checks, each on a fresh one.
template <class Subject, class Place = loop_place>
class op_checks {
 public:
  op_checks() = default;
  op_checks(const op_checks&) = delete;
  op_checks& operator=(const op_checks&) = delete;
  /// Who is still waiting ends before the object.
  ~op_checks() {
    place_.end();
    EXPECT_EQ(waiting(), 0U) << "what a cancelled perform leaves";
  }

  // O-1
  void building_does_nothing() {
    const auto op = make();
    EXPECT_EQ(waiting(), 0U);
    ready();
    {
      [[maybe_unused]] const auto never_performed = make();
    }
    EXPECT_TRUE(poll(make())) << "building one has used it up";
    if constexpr (std::copy_constructible<decltype(make())>) {
      for (int i = 0; i < 3; ++i) {
        ready();
        EXPECT_TRUE(poll(op)) << "performing it has changed it";
      }
    }
    EXPECT_EQ(poll(make()).has_value(), Subject::stays_ready);
  }

  // O-2
  void one_readiness_commits_one_perform() {
    auto first = wait();
    auto second = wait();
    EXPECT_EQ(waiting(), 2U);
    ready();
    settle();
    EXPECT_EQ(committed_, Subject::stays_ready ? 2 : 1);
    if (!Subject::stays_ready) ready();
    settle();
    EXPECT_EQ(committed_, 2);
  }
  void two_arms_of_one_perform_commit_once() {
    auto chooser = begin([this] {
      if (perform(choice(counted(), counted()))) ++committed_;
    });
    EXPECT_EQ(waiting(), 2U);
    ready();
    settle();
    EXPECT_EQ(wraps_, 1);
    EXPECT_EQ(committed_, 1);
    EXPECT_EQ(waiting(), 0U);
    EXPECT_EQ(poll(make()).has_value(), Subject::stays_ready) << "it has taken two";
  }

  // O-3
  void nothing_is_linked_while_arms_are_tried() {
    std::optional<std::size_t> linked;
    EXPECT_TRUE(perform(choice_biased(counted(), guard([&] {
                                        linked = waiting();
                                        return always();
                                      }))));
    EXPECT_EQ(linked, 0U);
    EXPECT_EQ(wraps_, 0);
    EXPECT_EQ(waiting(), 0U);
  }

  // O-7, O-8: when it loses at once, when it loses while it waits, and when it commits.
  void an_arm_that_loses_is_told() {
    int aborts = 0;
    std::optional<nack> told;
    const auto arm = [&] {
      return with_nack([&](const nack& mine) {
        told = mine;
        return on_abort(counted(), [&]() noexcept { ++aborts; });
      });
    };
    EXPECT_TRUE(perform(choice_biased(arm(), always())));
    EXPECT_EQ(aborts, 1);
    EXPECT_TRUE(told->has_fired());
    rendezvous<int> gate;
    auto loser = begin([&] { EXPECT_TRUE(perform(choice(arm(), wrap(gate.receive(), drop)))); });
    EXPECT_FALSE(told->has_fired());
    int value = 0;
    EXPECT_TRUE(poll(gate.send(value)));
    settle();
    EXPECT_EQ(aborts, 2);
    EXPECT_TRUE(told->has_fired());
    EXPECT_EQ(waiting(), 0U);
    auto winner = begin([&] { EXPECT_TRUE(perform(choice(arm(), wrap(gate.receive(), drop)))); });
    ready();
    settle();
    EXPECT_EQ(aborts, 2);
    EXPECT_FALSE(told->has_fired());
    EXPECT_EQ(wraps_, 1);
  }

  // O-11, C-10: an arm that is not tried, a perform that fails at once, a poll in vain.
  void what_is_not_tried_takes_nothing() {
    EXPECT_FALSE(poll(make()));
    ready();
    EXPECT_TRUE(perform(choice_biased(always(), counted())));
    place_.cancel();
    auto refused =
        place_.begin_cancellably([this] { EXPECT_EQ(perform(make()).error(), errc::cancelled); });
    expect_one_left();
  }
  // C-11, C-12: while it waits, and between what made it ready and its resumption.
  void a_cancelled_perform_has_not_happened() {
    auto waits = wait_cancellably();
    EXPECT_TRUE(place_.cancel());
    settle();
    EXPECT_EQ(cancelled_, 1);
    EXPECT_EQ(waiting(), 0U);
    ready();
    expect_one_left();
  }
  void a_cancel_takes_nothing_from_a_commit() {
    auto waits = wait_cancellably();
    ready();
    place_.cancel();
    settle();
    EXPECT_EQ(committed_ + cancelled_, 1);
    // A wake that only lets it try again is no commit.
    if (committed_ == 0) expect_one_left();
    EXPECT_EQ(poll(make()).has_value(), Subject::stays_ready);
  }
  // Y-4: one that waits behind it can use what it has not.
  void what_a_cancelled_perform_was_woken_for_is_passed_on() {
    auto first = wait_cancellably();
    auto second = wait();
    ready();
    place_.cancel();
    settle();
    EXPECT_GE(committed_, 1) << "a wake was lost";
    EXPECT_EQ(waiting(), Subject::stays_ready || cancelled_ == 1 ? 0U : 1U);
    EXPECT_EQ(poll(make()).has_value(), Subject::stays_ready);
  }
  // C-11, with another arm.
  void an_arm_that_loses_takes_nothing() {
    rendezvous<int> gate;
    auto loses =
        begin([&] { EXPECT_TRUE(perform(choice(counted(), wrap(gate.receive(), drop)))); });
    int value = 0;
    EXPECT_TRUE(poll(gate.send(value)));
    ready();
    settle();
    EXPECT_EQ(wraps_, 0);
    expect_one_left();
  }

  // O-14
  void a_poll_leaves_nothing() {
    EXPECT_FALSE(poll(make()));
    EXPECT_FALSE(poll(choice(counted(), counted())));
    EXPECT_EQ(waiting(), 0U);
    place_.cancel();
    auto in_vain = place_.begin_cancellably([this] { EXPECT_FALSE(poll(make())); });
    ready();
    auto polls = place_.begin_cancellably([this] {
      EXPECT_TRUE(poll(make())) << "a poll does not check the token";
      ++committed_;
    });
    EXPECT_EQ(committed_, 1);
  }

  // O-17
  void nothing_is_allocated_once_it_waits() {
    auto waits = wait();
    auto ends = wait_cancellably();
    const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
    place_.cancel();
    settle();
    EXPECT_EQ(cancelled_, 1);
    Subject::make_ready(object_);
    settle();
    EXPECT_EQ(committed_, 1);
    EXPECT_EQ(none.seen(), 0U);
  }

  // F-12
  void a_released_perform_leaves_nothing() {
    auto abandoned = wait();
    EXPECT_TRUE(abandoned.release(abandon));
    EXPECT_EQ(waiting(), 0U);
#if BAST_EXCEPTIONS
    auto released = wait();
    EXPECT_TRUE(released.release());
    EXPECT_EQ(waiting(), 0U);
#endif
    ready();
    expect_one_left();
  }

 private:
  static constexpr auto drop = [](auto&&...) {};

  auto make() { return Subject::op(object_); }
  /// As an op of void.
  auto counted() {
    return wrap(make(), [this](auto&&...) { ++wraps_; });
  }
  std::size_t waiting() { return Subject::waiting(object_); }
  auto begin(std::function<void()> body) { return place_.begin(std::move(body)); }
  void perform_once() { ++(perform(make()) ? committed_ : cancelled_); }
  /// A coroutine that performs the op.
  auto wait() {
    return begin([this] { perform_once(); });
  }
  auto wait_cancellably() {
    return place_.begin_cancellably([this] { perform_once(); });
  }
  /// Makes it ready, in a coroutine, as that may wait until it is taken.
  void ready() {
    makers_.push_back(begin([this] { Subject::make_ready(object_); }));
  }
  void expect_one_left() {
    settle();
    EXPECT_TRUE(poll(make())) << "what was ready is gone";
    EXPECT_EQ(poll(make()).has_value(), Subject::stays_ready) << "there were two";
  }
  void settle() { place_.settle(); }

  typename Subject::object object_;
  Place place_;
  std::vector<typename Place::handle> makers_;
  int committed_ = 0;
  int cancelled_ = 0;
  int wraps_ = 0;
};

}  // namespace bast::test
