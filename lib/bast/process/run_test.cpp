// SPDX-License-Identifier: Apache-2.0
//
// command::run on coroutines, with the epoll adapter as the loop.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/process.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;

/// A loop, a pool, and the objects that the tests wait for.
class Run : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_TRUE(loop_.shut_down());
    EXPECT_EQ(loop_.machine().stats().live, 0U);
  }

  /// Runs `body` in a coroutine until it has ended.
  template <class F>
  void in_coroutine(F body) {
    auto c = pool_.acquire();
    ASSERT_TRUE(c);
    ASSERT_FALSE(c->start(std::move(body)).failed());
    while (c->state() == coro_state::suspended) ASSERT_TRUE(loop_.turn(1h));
    EXPECT_TRUE(c->returned());
  }

  static std::string text_of(const captured_output& stream) {
    return std::string(stream.bytes.text());
  }

  std::unique_ptr<epoll_adapter> owner_ = epoll_adapter::create().value();
  epoll_adapter& loop_ = *owner_;
  coro_pool pool_ = *coro_pool::create();
};

TEST_F(Run, P14_WhoTheLoopWokeMayNotTurnItNorShutItDown) {
  in_coroutine([&] {
    // Before its first wait, the thread runs it, not the loop.
    EXPECT_TRUE(loop_.turn(0ns));
    auto c = child({"exit", "0"});
    ASSERT_TRUE(c.run());
    const std::uint64_t before = loop_.machine().digest();
    EXPECT_EQ(loop_.turn(1h).error(), errc::bad_state);
    EXPECT_STREQ(loop_.turn(1h).error().operation(), "epoll_adapter.turn");
    EXPECT_EQ(loop_.shut_down().error(), errc::bad_state);
    EXPECT_STREQ(loop_.shut_down().error().operation(), "epoll_adapter.shut_down");
    EXPECT_EQ(loop_.machine().digest(), before);
    // It continues to run programs.
    auto next = child({"exit", "3"});
    const auto ended = next.run();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->status.code, 3);
  });
  EXPECT_TRUE(loop_.turn(0ns));
}

TEST_F(Run, P13_TheOutputIsTheCallers) {
  in_coroutine([&] {
    auto c = child({"out", "5", "err", "3", "exit", "7"});
    c.out(to::capture{}).err(to::capture{});
    const auto ended = c.run();
    ASSERT_TRUE(ended) << ended.error().message();
    EXPECT_EQ(text_of(ended->output), "abcde");
    EXPECT_EQ(text_of(ended->errors), "abc");
    EXPECT_EQ(ended->ended_by, process_ending::exited);
    EXPECT_EQ(ended->status.code, 7);
    EXPECT_FALSE(ended->check());
  });
}

TEST_F(Run, P16_BytesGoInAndComeOut) {
  std::string contents(1 << 20, 'x');
  in_coroutine([&] {
    auto c = child({"cat"});
    c.in(from::bytes{contents}).out(to::capture{});
    const auto ended = c.run();
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->check());
    EXPECT_EQ(text_of(ended->output), contents);
  });
}

TEST_F(Run, ManyRunAtOnceAndEachGetsItsOwn) {
  constexpr int count = 40;
  std::vector<coro<>> all;
  int right = 0;
  for (int i = 0; i < count; ++i) {
    all.push_back(std::move(*pool_.acquire()));
    ASSERT_FALSE(all.back()
                     .start([&right, i] {
                       auto c = child({"say", std::to_string(i), "exit", std::to_string(i)});
                       c.out(to::capture{});
                       const auto ended = c.run();
                       ASSERT_TRUE(ended) << ended.error().message();
                       right += ended->status.code == i &&
                                text_of(ended->output).starts_with(std::to_string(i));
                     })
                     .failed());
  }
  while (!loop_.idle()) ASSERT_TRUE(loop_.turn(1h));
  EXPECT_EQ(right, count);
}

TEST_F(Run, OneAfterTheOtherInOneCoroutine) {
  in_coroutine([&] {
    for (int i = 0; i < 5; ++i) {
      auto c = child({"exit", std::to_string(i)});
      const auto ended = c.run();
      ASSERT_TRUE(ended);
      EXPECT_EQ(ended->status.code, i);
    }
  });
}

TEST_F(Run, P14_ATimeoutIsToldAndKeepsWhatWasWritten) {
  in_coroutine([&] {
    auto c = child({"ignore", "15", "out", "3", "hang"});
    c.out(to::capture{}).timeout(100ms).grace(50ms);
    const auto ended = c.run();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ended_by, process_ending::timed_out);
    EXPECT_EQ(ended->status.how, exit_status::kind::signalled);
    EXPECT_EQ(ended->status.code, SIGKILL);
    EXPECT_EQ(text_of(ended->output), "abc");
    EXPECT_EQ(ended->check().error(), errc::timed_out);
  });
}

TEST_F(Run, P14_ATokenStopsItFromAnotherThread) {
  const cancel_source source = cancel_source::create().value();
  std::thread canceller;
  in_coroutine([&] {
    auto c = child({"hang"});
    c.cancelled_by(source.token());
    canceller = std::thread([&] { source.cancel(); });
    const auto ended = c.run();
    canceller.join();
    if (!ended) {  // The token fired before the start.
      EXPECT_EQ(ended.error(), errc::cancelled);
      return;
    }
    EXPECT_EQ(ended->ended_by, process_ending::cancelled);
    EXPECT_EQ(ended->status.code, SIGTERM);
  });
}

TEST_F(Run, P14_TheTokenOfTheCoroutineStopsIt) {
  const cancel_source source = cancel_source::create().value();
  auto c = pool_.acquire();
  process_ending how{};
  ASSERT_TRUE(c->start([&] {
                 const cancel_binding bound(source.token());
                 auto hangs = child({"hang"});
                 const auto ended = hangs.run();
                 ASSERT_TRUE(ended);
                 how = ended->ended_by;
                 auto again = child({"exit", "0"});
                 EXPECT_EQ(again.run().error(), errc::cancelled);
                 EXPECT_FALSE(again.started());
               }).parked());
  EXPECT_EQ(c->resume().error(), errc::not_owner);
  source.cancel();
  while (c->state() == coro_state::suspended) ASSERT_TRUE(loop_.turn(1h));
  EXPECT_EQ(how, process_ending::cancelled);
}

#if BAST_EXCEPTIONS
TEST_F(Run, P14_ReleasingTheCoroutineEndsTheProcess) {
  auto c = pool_.acquire();
  ASSERT_TRUE(c->start([&] {
                 auto hangs = child({"hang"});
                 (void)hangs.run();
                 ADD_FAILURE() << "it was unwound";
               }).parked());
  EXPECT_EQ(loop_.machine().stats().live, 1U);
  ASSERT_TRUE(c->release());
  while (!loop_.idle()) ASSERT_TRUE(loop_.turn(1h));
}
#endif

TEST_F(Run, F12_AbandoningTheCoroutineEndsItsProcess) {
  const cancel_source source = cancel_source::create().value();
  const cancel_source governing = cancel_source::create().value();
  for (int life = 0; life < 3; ++life) {
    auto c = pool_.acquire();
    // An abandoned coroutine leaks its own objects: so it has none.
    static std::optional<command> kept;
    kept.emplace(child({"out", "100", "hang"}));
    kept->out(to::capture{});
    kept->cancelled_by(source.token());
    ASSERT_TRUE(c->start([&] {
                   const cancel_binding bound(governing.token());
                   (void)kept->run();
                 }).parked());
    ASSERT_TRUE(c->release(abandon));
    auto next = pool_.acquire();
    ASSERT_FALSE(next->start([] {
                       volatile char all[8 << 10];
                       for (auto& byte : all) byte = 0x41;
                     })
                     .failed());
    while (!loop_.idle()) ASSERT_TRUE(loop_.turn(1h));
    kept.reset();
  }
  source.cancel();
  governing.cancel();
  EXPECT_EQ(loop_.machine().stats().live, 0U);
}

TEST_F(Run, P8_AProgramThatIsNotThereIsAnError) {
  in_coroutine([&] {
    auto c = command::argv({"/no/such/program"});
    const auto ended = c.run();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().error_number(), ENOENT);
    EXPECT_EQ(c.failure().stage, spawn_stage::exec);
  });
}

TEST_F(Run, P3_ACommandRunsOnce) {
  in_coroutine([&] {
    auto c = child({"exit", "0"});
    EXPECT_TRUE(c.run());
    EXPECT_EQ(c.run().error(), errc::bad_state);
  });
}

TEST_F(Run, OutsideACoroutineItIsRefused) {
  auto c = child({"exit", "0"});
  EXPECT_EQ(c.run().error(), errc::not_in_fiber);
  EXPECT_EQ(c.run(loop_).error(), errc::not_in_fiber);
}

TEST_F(Run, C9_ACallbackMayNotRunOne) {
  const cancel_source source = cancel_source::create().value();
  errc refused{};
  const cancel_callback runs(source.token(), [&]() noexcept {
    auto c = child({"exit", "0"});
    refused = c.run().error().kind();
  });
  in_coroutine([&] { source.cancel(); });
  EXPECT_EQ(refused, errc::bad_state);
}

TEST_F(Run, APipeThatNobodyTakesIsRefused) {
  in_coroutine([&] {
    for (int stream = 0; stream < 3; ++stream) {
      auto c = child({"cat"});
      if (stream == 0) c.in(from::pipe{});
      if (stream == 1) c.out(to::pipe{});
      if (stream == 2) c.err(to::pipe{});
      EXPECT_EQ(c.run().error(), errc::invalid);
      EXPECT_FALSE(c.started());
    }
  });
}

TEST_F(Run, StartGivesThePipesToTheCaller) {
  auto c = child({"cat"});
  c.in(from::pipe{}).out(to::capture{});
  struct seen_type {
    bool ended = false;
    std::string output;
  } seen;
  const auto finished = [](void* context, process_id, process_result&& result) noexcept {
    auto& s = *static_cast<seen_type*>(context);
    s.ended = true;
    s.output = text_of(result.output);
  };
  process_pipes pipes;
  ASSERT_TRUE(c.start(loop_, finished, &seen, &pipes));
  EXPECT_FALSE(pipes.stdout_pipe);
  ASSERT_EQ(::write(pipes.stdin_pipe.get(), "hello", 5), 5);
  pipes.stdin_pipe.reset();
  while (!seen.ended) ASSERT_TRUE(loop_.turn(1h));
  EXPECT_EQ(seen.output, "hello");
}

TEST_F(Run, EachPipeIsGivenAsItsOwn) {
  for (const bool captures_output : {false, true}) {
    auto c = child({"cat"});
    if (captures_output) {
      c.out(to::capture{}).err(to::pipe{});
    } else {
      c.out(to::pipe{}).err(to::capture{});
    }
    bool ended = false;
    const auto finished = [](void* context, process_id, process_result&&) noexcept {
      *static_cast<bool*>(context) = true;
    };
    process_pipes pipes;
    ASSERT_TRUE(c.start(loop_, finished, &ended, &pipes));
    EXPECT_FALSE(pipes.stdin_pipe);
    EXPECT_EQ(static_cast<bool>(pipes.stdout_pipe), !captures_output);
    EXPECT_EQ(static_cast<bool>(pipes.stderr_pipe), captures_output);
    while (!ended) ASSERT_TRUE(loop_.turn(1h));
  }
}

TEST_F(Run, D11_MoreThanTheDriverFollowsIsALimit) {
  const std::unique_ptr<epoll_adapter> small_owner =
      epoll_adapter::create({.processes_max = 1}).value();
  epoll_adapter& small = *small_owner;
  auto c = pool_.acquire();
  ASSERT_TRUE(c->start([&] {
                 auto first = child({"hang"});
                 first.timeout(50ms);
                 const auto ended = first.run(small);
                 ASSERT_TRUE(ended);
                 EXPECT_EQ(ended->ended_by, process_ending::timed_out);
               }).parked());
  auto d = pool_.acquire();
  ASSERT_TRUE(d->start([&] {
                 auto second = child({"hang"});
                 EXPECT_EQ(second.run(small).error(), errc::limit);
                 EXPECT_FALSE(second.started()) << "P-9: it can be started again";
               }).finished());
  while (!small.idle()) ASSERT_TRUE(small.turn(1h));
}

TEST(RunWithoutALoop, SaysWhatIsMissing) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_TRUE(c->start([] {
                 auto one = child({"exit", "0"});
                 EXPECT_EQ(one.run().error(), errc::bad_state);
               }).finished());
}

TEST(RunWithoutALoop, TheLatestLoopOfAThreadIsItsDriver) {
  EXPECT_EQ(process_driver::of_this_thread(), nullptr);
  auto first = epoll_adapter::create().value();
  auto second = epoll_adapter::create().value();
  EXPECT_EQ(process_driver::of_this_thread(), second.get());
  first.reset();
  EXPECT_EQ(process_driver::of_this_thread(), second.get());
  second.reset();
  EXPECT_EQ(process_driver::of_this_thread(), nullptr);
}

TEST(RunWithoutALoop, X6_EveryCallMayFail) {
  const auto loop = test::for_each_failing_call([](test::injection& faults) {
    std::string complaint;
    const auto created = epoll_adapter::create({.processes_max = 2});
    auto pool = coro_pool::create();
    if (pool && created) {
      epoll_adapter& adapter = **created;
      auto c = pool->acquire();
      if (!c) return complaint;
      const auto started = c->start([&] {
        auto one = child({"out", "100", "exit", "3"});
        one.out(to::capture{}).timeout(10s);
        const auto ended = one.run(adapter);
        if (!ended && ended.error().operation() == nullptr) complaint = "unclear";
        if (ended && ended->status.how == exit_status::kind::exited && ended->status.code != 3) {
          complaint = "another status";
        }
      });
      faults.end();
      if (!started.failed()) {
        while (!adapter.idle()) (void)adapter.turn(1h);
        if (c->state() != coro_state::finished) complaint = "it still waits";
      }
    }
    faults.end();
    return complaint;
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

}  // namespace
}  // namespace bast
