// SPDX-License-Identifier: Apache-2.0
//
// Ops that try an object: which waits are woken, and that no wake is lost (Y-4).
// stress/interleave/op_retry_test.cpp has every order.
#include "bast/op/retry.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast {
namespace {

/// Values that whoever comes first takes.
template <class T>
class shelf {
 public:
  void put(T value) {
    queue.wake_one([&]() noexcept { values_.push_back(std::move(value)); });
  }
  void close() {
    queue.wake_all([&]() noexcept { closed_ = true; });
  }
  auto take() {
    return retry_on(queue, [this]() noexcept -> std::optional<result<T>> {
      ++tries;
      if (!values_.empty()) {
        result<T> oldest(std::move(values_.front()));
        values_.erase(values_.begin());
        return oldest;
      }
      if (closed_) return fail(errc::closed, "take", "the shelf is closed");
      return std::nullopt;
    });
  }

  wait_queue queue;
  int tries = 0;

 private:
  std::vector<T> values_;
  bool closed_ = false;
};

class Retry : public testing::Test {
 protected:
  coro<> begin(std::function<void()> body) {
    coro<> made = pool.make(std::move(body)).value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }
  /// A coroutine that notes what it takes.
  coro<> take(const std::string& name) { return take_from(numbers, name); }
  coro<> take_from(shelf<int>& from, const std::string& name) {
    return begin([this, &from, name] {
      const result<int> got = perform(from.take());
      notes += name + (got ? std::to_string(*got) : "-");
    });
  }

  ready_queue loop;
  coro_pool pool = coro_pool::create().value();
  shelf<int> numbers;
  std::string notes;
};

TEST_F(Retry, WhoIsWokenTriesAgain) {
  auto first = take("a");
  auto second = take("b");
  EXPECT_EQ(numbers.queue.waiting(), 2U);
  numbers.put(1);
  EXPECT_EQ(numbers.queue.waiting(), 1U);
  EXPECT_EQ(loop.run(), 1U);
  numbers.put(2);
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, "a1b2");
  EXPECT_EQ(numbers.tries, 4);
  // What comes first is taken at once, and moved.
  shelf<std::unique_ptr<int>> boxes;
  boxes.put(std::make_unique<int>(3));
  EXPECT_EQ(**perform(boxes.take()), 3);
}

TEST_F(Retry, AWakeInVainWaitsOn) {
  auto waits = take("a");
  for (int i = 0; i < 3; ++i) {
    numbers.queue.wake_all();
    EXPECT_EQ(loop.run(), 1U);
    EXPECT_EQ(numbers.queue.waiting(), 1U);
  }
  numbers.put(1);
  EXPECT_EQ(poll(numbers.take())->value(), 1);  // Before the one that is woken.
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, "");
  numbers.close();
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, "a-");
  EXPECT_EQ(numbers.queue.waiting(), 0U);
}

// W2: between the try and the link.
TEST_F(Retry, AChangeWhileTheOtherArmsAreTriedIsNotMissed) {
  int guards = 0;
  const auto op = choice_biased(numbers.take(), guard([&] {
                                  ++guards;
                                  numbers.put(7);
                                  return never_ready<int>();
                                }));
  EXPECT_EQ(perform(op), 7);
  EXPECT_EQ(guards, 1) << "O-6";
  EXPECT_EQ(numbers.queue.waiting(), 0U);
}

// W3, with each end that a perform can have after it was woken.
TEST_F(Retry, Y4_AWakeThatIsNotUsedWakesTheNextOne) {
  enum class end { cancel, other_arm, release, abandon };
  for (const end how : {end::cancel, end::other_arm, end::release, end::abandon}) {
    if (how == end::release && !BAST_EXCEPTIONS) continue;
    SCOPED_TRACE(static_cast<int>(how));
    notes.clear();
    shelf<int> these;
    shelf<int> other;
    auto source = cancel_source::create().value();
    const cancel_token token = source.token();
    const auto body = [&] {
      const cancel_binding governed(token);
      (void)perform(choice_biased(other.take(), these.take()));
    };
    auto woken = begin(std::ref(body));  // An abandoned stack leaves what it owns.
    auto next = take_from(these, "b");
    auto last = take_from(these, "c");
    these.put(1);
    if (how == end::cancel) source.cancel();
    if (how == end::other_arm) other.put(0);
    const bool ended = how == end::release   ? woken.release().has_value()
                       : how == end::abandon ? woken.release(abandon).has_value()
                                             : true;
    EXPECT_TRUE(ended);
    while (loop.run() != 0) {
    }
    EXPECT_EQ(notes, "b1");
    EXPECT_EQ(these.queue.waiting(), 1U);
    these.close();
    while (loop.run() != 0) {
    }
  }
}

TEST_F(Retry, AChoiceThatTriesAgainMayMeetAPeer) {
  test::rendezvous<int> at;
  int guards = 0;
  auto waits = begin([&] {
    notes += std::to_string(perform(choice(numbers.take(), guard([&] {
                                             ++guards;
                                             return at.receive();
                                           })))
                                .value());
  });
  for (int i = 0; i < 3; ++i) {
    numbers.queue.wake_one();
    EXPECT_EQ(loop.run(), 1U);
    EXPECT_EQ(at.waiting(), 1U);
  }
  int seven = 7;
  EXPECT_TRUE(poll(at.send(seven)));
  numbers.put(1);  // Too late.
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, "7");
  EXPECT_EQ(guards, 1);
  EXPECT_EQ(poll(numbers.take())->value(), 1);
}

TEST_F(Retry, O17_TryingAgainAllocatesNothing) {
  std::vector<retry_op<std::function<bool()>>> many;
  bool open = false;
  many.reserve(100);
  for (int i = 0; i < 100; ++i) {
    many.push_back(retry_on(numbers.queue, std::function<bool()>([&] { return open; })));
  }
  auto waits = begin([&] { notes += perform(choice(many)) ? "done" : "failed"; });
  const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
  numbers.queue.wake_all();
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(numbers.queue.waiting(), 100U);
  numbers.queue.wake_one([&]() noexcept { open = true; });
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(notes, "done");
  EXPECT_EQ(none.seen(), 0U);
}

TEST_F(Retry, ATryMayNotSuspend) {
  std::optional<errc> in_try;
  auto tries = begin([&] {
    EXPECT_TRUE(perform(retry_on(numbers.queue, [&]() noexcept {
      in_try = perform(always(1)).error().kind();
      return true;
    })));
  });
  EXPECT_EQ(in_try, errc::bad_state);
}

TEST_F(Retry, TheLockIsTheObjects) {
  EXPECT_EQ(numbers.queue.locked([] { return 3; }), 3);
}

// Threads take what others put, through choices; as much is taken as was put.
TEST(RetryThreads, Y4_ThreadsTakeAllThatIsPut) {
  constexpr int each = 3000;
  shelf<int> at;
  shelf<int> also;
  std::vector<int> taken(3);
  {
    std::vector<test::joined_thread> all;
    all.reserve(taken.size());
    for (int& mine : taken) {
      all.emplace_back([&] {
        while (perform(choice(at.take(), also.take()))) ++mine;
      });
    }
    {
      const test::joined_thread puts([&] {
        for (int i = 0; i < each; ++i) at.put(i);
      });
      for (int i = 0; i < each; ++i) also.put(i);
    }
    for (backoff wait; at.queue.waiting() != taken.size() || also.queue.waiting() != taken.size();
         wait.pause()) {
    }
    at.close();
  }
  EXPECT_EQ(taken[0] + taken[1] + taken[2], 2 * each);
}

}  // namespace
}  // namespace bast
