// SPDX-License-Identifier: Apache-2.0
#include "bast/io/blocking.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bast/io/time.hpp"
#include "bast/testing/heap_growth.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/manual_backend.hpp"

namespace bast {
namespace {

/// A function that has begun, and waits for the test.
class held_call {
 public:
  void run() {
    begun_ = true;
    begun_.notify_all();
    open_.wait(false);
    ended_ = true;
  }
  void wait_until_begun() { begun_.wait(false); }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  bool has_ended() const { return ended_; }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> open_{false};
  std::atomic<bool> ended_{false};
};

class Blocking : public testing::Test {
 protected:
  coro<> begin(std::function<void()> body) {
    coro<> made = coros.make(std::move(body)).value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }
  void run_until_finished(const coro<>& one) {
    for (backoff wait; one.state() != coro_state::finished; wait.pause()) {
      if (ready.run() != 0) wait.reset();
    }
  }

  held_call held;  // Before the pool, which waits for it.
  std::optional<thread_pool> pool = thread_pool::create({.threads_max = 1, .queue_max = 2}).value();
  ready_queue ready;
  coro_pool coros = coro_pool::create().value();
  blocking_options here{.pool = &*pool};
  blocking_options leaves{.pool = &*pool, .abandon_on_cancel = true};
};

TEST_F(Blocking, RunsOnAnotherThreadWhileOthersRunHere) {
  std::thread::id ran_on;
  std::optional<std::string> got;
  auto caller = begin([&] {
    got = blocking(
              [&] {
                held.run();
                ran_on = std::this_thread::get_id();
                return std::string("text");
              },
              here)
              .value();
  });
  held.wait_until_begun();
  int others = 0;
  const auto other = begin([&] { ++others; });
  EXPECT_EQ(others, 1);
  EXPECT_FALSE(got);
  held.open();
  run_until_finished(caller);
  EXPECT_EQ(got, "text");
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST_F(Blocking, AnOsThreadCallsItToo) {
  auto moved = std::make_unique<int>(4);
  EXPECT_EQ(*blocking([m = std::move(moved)]() mutable { return std::move(m); }, here).value(), 4);
  int calls = 0;
  EXPECT_TRUE(blocking([&] { ++calls; }, here));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(blocking([] { return result<int>(7); }, here), 7);
  EXPECT_EQ(blocking([]() -> result<int> { return fail(errc::io, "test", "no"); }, here).error(),
            errc::io);
}

#if BAST_EXCEPTIONS
TEST_F(Blocking, AnExceptionReachesTheCaller) {
  std::string what;
  auto caller = begin([&] {
    try {
      (void)blocking([]() -> int { throw std::runtime_error("broken"); }, here);
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
  });
  run_until_finished(caller);
  EXPECT_EQ(what, "broken");
}
#endif

TEST_F(Blocking, IO10_ACancelBeforeTheStartRemovesTheCall) {
  auto source = cancel_source::create().value();
  auto first = begin([&] { EXPECT_TRUE(blocking([&] { held.run(); }, here)); });
  held.wait_until_begun();
  int calls = 0;
  std::optional<errc> ended;
  const auto watched = std::make_shared<int>(1);
  auto second = begin([&] {
    const cancel_binding governed(source.token());
    ended = blocking([&calls, watched] { ++calls; }, here).error().kind();
  });
  EXPECT_EQ(pool->stats().queued, 1U);
  source.cancel();
  EXPECT_EQ(ready.run(), 1U);
  EXPECT_EQ(ended, errc::cancelled);
  EXPECT_EQ(pool->stats().queued, 0U);
  EXPECT_EQ(watched.use_count(), 1);
  auto third = begin([&] {
    const cancel_binding governed(source.token());
    EXPECT_EQ(blocking([&] { ++calls; }, here).error(), errc::cancelled);
  });
  EXPECT_EQ(third.state(), coro_state::finished);
  held.open();
  run_until_finished(first);
  EXPECT_EQ(calls, 0);
}

TEST_F(Blocking, IO10_ACancelAfterTheStartWaitsForTheValue) {
  auto source = cancel_source::create().value();
  std::optional<int> got;
  auto caller = begin([&] {
    const cancel_binding governed(source.token());
    got = blocking(
              [&] {
                held.run();
                return 7;
              },
              here)
              .value();
    EXPECT_FALSE(this_coro::checkpoint());
  });
  held.wait_until_begun();
  source.cancel();
  EXPECT_EQ(ready.run(), 1U);
  EXPECT_EQ(caller.state(), coro_state::suspended) << "it waits on";
  held.open();
  run_until_finished(caller);
  EXPECT_EQ(got, 7);
}

TEST_F(Blocking, IO10_AnAbandonedCallReturnsAtOnceAndItsResultEndsInThePool) {
  struct late {
    explicit late(std::thread::id* where) : at(where) {}
    late(late&& other) noexcept : at(std::exchange(other.at, nullptr)) {}
    ~late() {
      if (at != nullptr) *at = std::this_thread::get_id();
    }
    std::thread::id* at;
  };
  auto source = cancel_source::create().value();
  std::thread::id ended_on;
  std::optional<errc> ended;
  auto caller = begin([&] {
    const cancel_binding governed(source.token());
    ended = blocking(
                [&] {
                  held.run();
                  return late(&ended_on);
                },
                leaves)
                .error()
                .kind();
  });
  held.wait_until_begun();
  EXPECT_EQ(pool->stats().abandoned, 0U);
  source.cancel();
  EXPECT_EQ(ready.run(), 1U);
  EXPECT_EQ(ended, errc::cancelled);
  EXPECT_EQ(pool->stats().abandoned, 1U);
  EXPECT_EQ(pool->stats().running, 1U) << "it counts against threads_max";
  held.open();
  EXPECT_TRUE(blocking([] {}, here)) << "behind it";
  EXPECT_TRUE(held.has_ended());
  EXPECT_EQ(pool->stats().abandoned, 0U);
  EXPECT_NE(ended_on, std::thread::id());
  EXPECT_NE(ended_on, std::this_thread::get_id());
}

TEST(BlockingLife, FreesWhatItAllocated) {
  EXPECT_LT(test::heap_growth_of([] {
              auto pool = thread_pool::create({.threads_max = 1}).value();
              const std::string text(100, 't');
              EXPECT_EQ(blocking([text] { return text; }, {.pool = &pool}), text);
              EXPECT_TRUE(pool.submit([text] { (void)text; }));
            }),
            test::heap_caches);
}

TEST_F(Blocking, ALimitIsNamed) {
  auto first = begin([&] { EXPECT_TRUE(blocking([&] { held.run(); }, here)); });
  held.wait_until_begun();
  auto second = begin([&] { EXPECT_TRUE(blocking([] {}, here)); });
  auto third = begin([&] { EXPECT_TRUE(blocking([] {}, here)); });
  auto fourth = begin([&] {
    EXPECT_EQ(blocking([] {}, here).error().message(),
              "blocking: limit reached: queue_max tasks wait for a thread of the pool (2)");
  });
  EXPECT_EQ(fourth.state(), coro_state::finished);
  held.open();
  for (const auto* each : {&first, &second, &third}) run_until_finished(*each);
}

TEST_F(Blocking, ThePoolsEndIsClosedForWhatDidNotBegin) {
  std::vector<std::string> order;
  auto first = begin([&] { EXPECT_TRUE(blocking([&] { held.run(); }, here)); });
  held.wait_until_begun();
  auto second = begin([&] {
    const auto got = blocking([] { return 2; }, here);
    order.push_back(got ? "ran here" : got.error().message());
  });
  auto third = begin([&] {
    const auto got = blocking([] { return 3; }, here);
    order.push_back(got ? "ran here" : got.error().message());
  });
  {
    std::optional<unfinished_tasks> rest;
    {
      const test::joined_thread ends([&] { rest.emplace(*pool->shut_down()); });
      while (pool->stats().queued != 0) std::this_thread::yield();
      held.open();
    }
    pool.reset();
    EXPECT_TRUE(rest->run_next());
  }
  for (const auto* each : {&first, &second, &third}) run_until_finished(*each);
  EXPECT_EQ(order,
            (std::vector<std::string>{
                "ran here", "blocking: closed: the thread_pool was shut down before it began"}));
}

TEST_F(Blocking, F12_AReleaseWithdrawsOrWaits) {
  int calls = 0;
  auto running = begin([&] { (void)blocking([&] { held.run(); }, here); });
  held.wait_until_begun();
  auto queued = begin([&] { (void)blocking([&] { ++calls; }, here); });
  EXPECT_TRUE(queued.release(abandon));
  EXPECT_EQ(pool->stats().queued, 0U);
  {
    const test::joined_thread opens([&] {
      while (pool->stats().running != 1) std::this_thread::yield();
      held.open();
    });
    EXPECT_TRUE(running.release(abandon)) << "it waits for what may use its stack";
    EXPECT_TRUE(held.has_ended());
  }
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(ready.waiting(), 0U);
}

#if BAST_EXCEPTIONS
TEST_F(Blocking, F20_AnUnwindingWaitsForWhatRuns) {
  auto running = begin([&] { (void)blocking([&] { held.run(); }, here); });
  held.wait_until_begun();
  const test::joined_thread opens([&] { held.open(); });
  EXPECT_TRUE(running.release());
  EXPECT_TRUE(held.has_ended());
}
#endif

TEST_F(Blocking, WithoutItsOwnPoolItIsThatOfTheLoop) {
  EXPECT_EQ(blocking([] {}).error(), errc::invalid);
  test::manual_backend outside;
  internal::event_loop loop(outside);
  internal::event_loop::enter(&loop);
  EXPECT_EQ(blocking([] {}).error(), errc::invalid);
  loop.use_pool(&*pool);
  EXPECT_EQ(blocking([] { return 5; }), 5);
  internal::event_loop::enter(nullptr);
}

TEST_F(Blocking, EachRefusalLeavesNothing) {
  const auto watched = std::make_shared<int>(1);
  {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = 1});
    EXPECT_EQ(blocking([watched] {}, here).error(), errc::no_memory);
  }
  {
    const os::fault_scope fault({.kind = os::call::thread, .nth = 1, .error_number = EAGAIN});
    EXPECT_EQ(blocking([watched] {}, here).error(), errc::limit);
  }
  EXPECT_EQ(watched.use_count(), 1);
  auto source = cancel_source::create().value();
  std::optional<errc> in_callback;
  auto inside = begin([&] {
    const cancel_callback calls(
        source.token(), [&]() noexcept { in_callback = blocking([] {}, here).error().kind(); });
    source.cancel();
  });
  EXPECT_EQ(in_callback, errc::bad_state);
  EXPECT_EQ(test::in_child([&] { return blocking([] {}, here).error() == errc::forked ? 0 : 1; }),
            0);
}

// Cancels that come about when calls begin and end: each call that reports a value ran, and each
// that reports a cancel and was not abandoned did not.
TEST_F(Blocking, C12_ACancelAgainstTheStartAndTheEnd) {
  pool = thread_pool::create({.threads_max = 2}).value();
  here.pool = leaves.pool = &*pool;
  constexpr int rounds = 1000;
  std::atomic<cancel_source*> current{nullptr};
  std::atomic<bool> ends{false};
  std::atomic<int> runs{0};
  int values = 0;
  int cancels = 0;
  {
    const test::joined_thread canceller([&] {
      while (!ends) {
        if (auto* const source = current.exchange(nullptr)) {
          source->cancel();
          current.notify_all();
          delete source;
        }
      }
    });
    for (int i = 0; i < rounds; ++i) {
      auto* const source = new cancel_source(cancel_source::create().value());
      const cancel_token token = source->token();
      cancel_source* none = nullptr;
      while (!current.compare_exchange_weak(none, source)) none = nullptr;
      const cancel_binding governed(token);
      const bool may_leave = i % 2 == 0;
      std::atomic<int> mine{0};
      const auto got = may_leave ? blocking([&runs] { return ++runs; }, leaves)
                                 : blocking([&] { return ++mine; }, here);
      ++(got ? values : cancels);
      EXPECT_TRUE(may_leave || mine == (got ? 1 : 0));
    }
    ends = true;
  }
  delete current.exchange(nullptr);
  EXPECT_EQ(values + cancels, rounds);
  EXPECT_TRUE(pool->shut_down());
  EXPECT_EQ(pool->stats().abandoned, 0U);
}

}  // namespace
}  // namespace bast
