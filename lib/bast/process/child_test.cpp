// SPDX-License-Identifier: Apache-2.0
//
// `child_process`: a program's pid, signals, pipes and end, and its ownership.
#include "bast/process/child.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "bast/coro.hpp"
#include "bast/process.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;
using test::kind_of;
using test::words_of;

class ChildProcess : public testing::Test {
 protected:
  void SetUp() override {
    if (test::emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  }
  void TearDown() override { EXPECT_TRUE(loop_->shut_down()); }

  /// Runs `body` in a coroutine until it has ended.
  template <class F>
  void in_coroutine(F body) {
    auto c = pool_.make(std::move(body));
    ASSERT_TRUE(c);
    (void)c->resume();
    while (c->state() == coro_state::suspended) ASSERT_TRUE(loop_->turn(1h));
    EXPECT_TRUE(c->returned());
  }
  void until_idle() {
    while (!loop_->idle()) ASSERT_TRUE(loop_->turn(1h));
  }
  /// Reads one line from our end of a pipe.
  static std::string line_of(const os::descriptor& fd) {
    std::string line;
    for (char c = 0;;) {
      pollfd wait{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 60'000) != 1 || ::read(fd.get(), &c, 1) != 1 || c == '\n') return line;
      line += c;
    }
  }

  std::unique_ptr<epoll_adapter> loop_ = epoll_adapter::create().value();
  coro_pool pool_ = coro_pool::create().value();
};

TEST_F(ChildProcess, P14_HasAPidTakesSignalsAndEnds) {
  in_coroutine([&] {
    auto c = child({"ready", "hang"});
    c.out(to::pipe{});
    auto runs = c.spawn(*loop_);
    ASSERT_TRUE(runs) << runs.error().message();
    EXPECT_GT(runs->pid(), 0);
    EXPECT_EQ(::getpgid(runs->pid()), runs->pid());
    EXPECT_TRUE(runs->pipes.stdout_pipe);
    EXPECT_FALSE(runs->pipes.stdin_pipe);
    EXPECT_EQ(line_of(runs->pipes.stdout_pipe), "ready");
    EXPECT_FALSE(runs->has_ended());
    ASSERT_TRUE(runs->signal(SIGUSR1));
    const auto ended = runs->wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ended_by, process_ending::exited);
    EXPECT_EQ(ended->status.how, exit_status::kind::signalled);
    EXPECT_EQ(ended->status.code, SIGUSR1);
    EXPECT_EQ(runs->pid(), -1) << "the result is taken once";
    EXPECT_EQ(kind_of(runs->wait()), errc::stale_handle);
    EXPECT_EQ(kind_of(runs->signal(SIGTERM)), errc::stale_handle);
    EXPECT_EQ(kind_of(runs->stop()), errc::stale_handle);
  });
}

TEST_F(ChildProcess, P12_AfterTheEndASignalIsRefusedAndTheResultWaits) {
  auto c = child({"out", "3", "exit", "7"});
  auto runs = c.out(to::capture{}).spawn(*loop_);
  ASSERT_TRUE(runs);
  until_idle();
  EXPECT_TRUE(runs->has_ended());
  EXPECT_GT(runs->pid(), 0);
  EXPECT_EQ(kind_of(runs->signal(SIGTERM)), errc::stale_handle);
  EXPECT_TRUE(runs->stop());
  EXPECT_EQ(kind_of(loop_->signal(runs->id(), SIGTERM)), errc::stale_handle);
  // After its end, no coroutine is needed.
  const auto ended = runs->wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status.code, 7);
  EXPECT_EQ(ended->output.bytes.text(), "abc");
}

TEST_F(ChildProcess, P14_StopEndsItAndTheSignalIsOfChoice) {
  in_coroutine([&] {
    for (const int number : {SIGTERM, SIGINT, SIGKILL}) {
      auto c = child({"ready", "hang"});
      c.out(to::pipe{}).stop_signal(number);
      auto runs = c.spawn(*loop_).value();
      EXPECT_EQ(line_of(runs.pipes.stdout_pipe), "ready");
      ASSERT_TRUE(runs.stop());
      ASSERT_TRUE(runs.stop()) << "a second call has no effect";
      const auto ended = runs.wait();
      ASSERT_TRUE(ended);
      EXPECT_EQ(ended->ended_by, process_ending::cancelled);
      EXPECT_EQ(ended->status.how, exit_status::kind::signalled);
      EXPECT_EQ(ended->status.code, number);
    }
  });
}

TEST_F(ChildProcess, P14_AStopSignalThatIsIgnoredIsFollowedByAKill) {
  in_coroutine([&] {
    auto c = child({"ignore", std::to_string(SIGUSR2), "ready", "hang"});
    c.out(to::pipe{}).stop_signal(SIGUSR2).grace(20ms);
    auto runs = c.spawn(*loop_).value();
    EXPECT_EQ(line_of(runs.pipes.stdout_pipe), "ready");
    ASSERT_TRUE(runs.stop());
    const auto ended = runs.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ended_by, process_ending::cancelled);
    EXPECT_EQ(ended->status.code, SIGKILL);
  });
}

TEST_F(ChildProcess, P13_AnOwnerThatEndsStopsItAndTheLoopReapsIt) {
  {
    auto c = child({"hang"});
    auto runs = c.spawn(*loop_);
    ASSERT_TRUE(runs);
    child_process moved = std::move(*runs);
    EXPECT_EQ(runs->pid(), -1);  // NOLINT(bugprone-use-after-move): tests the moved-from object
    EXPECT_GT(moved.pid(), 0);
    EXPECT_FALSE(loop_->idle());
  }
  until_idle();
  EXPECT_TRUE(test::has_no_child());
}

TEST_F(ChildProcess, P13_AssignmentStopsWhatWasThere) {
  auto one = child({"hang"});
  auto two = child({"exit", "3"});
  auto runs = one.spawn(*loop_).value();
  runs = two.spawn(*loop_).value();
  child_process& same = runs;
  runs = std::move(same);
  until_idle();
  EXPECT_EQ(runs.wait()->status.code, 3);
  EXPECT_TRUE(test::has_no_child());
}

TEST_F(ChildProcess, P13_ADetachedOneRunsOnAndIsReaped) {
  auto c = child({"drain", "exit", "0"});
  c.in(from::pipe{});
  auto runs = c.spawn(*loop_).value();
  os::descriptor input = std::move(runs.pipes.stdin_pipe);
  const pid_t pid = runs.pid();
  runs.detach();
  EXPECT_EQ(runs.pid(), -1);
  ASSERT_TRUE(loop_->turn(0ns));
  EXPECT_EQ(::kill(pid, 0), 0) << "it was not stopped";
  EXPECT_FALSE(loop_->idle());
  input.reset();
  until_idle();
  EXPECT_TRUE(test::has_no_child());
  EXPECT_EQ(loop_->machine().stats().finished, 1U);
}

TEST_F(ChildProcess, P13_DetachingWhatHasEndedFreesTheResult) {
  const test::leak_baseline before;
  {
    auto c = child({"exit", "0"});
    auto runs = c.spawn(*loop_).value();
    until_idle();
    runs.detach();
    EXPECT_FALSE(runs.has_ended());
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_F(ChildProcess, C12_ATokenStopsItWhileNoCoroutineWaits) {
  const cancel_source source = cancel_source::create().value();
  auto c = child({"hang"});
  c.cancelled_by(source.token());
  auto runs = c.spawn(*loop_).value();
  source.cancel();
  until_idle();
  EXPECT_EQ(runs.wait()->ended_by, process_ending::cancelled);
  // A token that has fired before starts nothing.
  auto late = child({"hang"});
  EXPECT_EQ(kind_of(late.cancelled_by(source.token()).spawn(*loop_)), errc::cancelled);
  EXPECT_FALSE(late.started());
}

TEST_F(ChildProcess, C12_ATokenThatFiresAfterTheDriverIsGoneReachesNothing) {
  const cancel_source source = cancel_source::create().value();
  auto c = child({"exit", "0"});
  c.cancelled_by(source.token());
  auto runs = c.spawn(*loop_).value();
  until_idle();
  loop_ = epoll_adapter::create().value();
  source.cancel();
  EXPECT_TRUE(runs.wait());
}

TEST_F(ChildProcess, C10_TheTokenOfTheCoroutineThatWaitsStopsIt) {
  const cancel_source source = cancel_source::create().value();
  auto c = child({"hang"});
  auto runs = c.spawn(*loop_).value();
  auto job = pool_.make([&] {
    const cancel_binding bound(source.token());
    EXPECT_EQ(runs.wait()->ended_by, process_ending::cancelled);
  });
  ASSERT_TRUE(job->resume().parked());
  source.cancel();
  until_idle();
  EXPECT_TRUE(job->peek().finished());
}

TEST_F(ChildProcess, F12_AReleasedCoroutineLeavesAChildThatLiesElsewhere) {
  auto c = child({"drain", "exit", "5"});
  c.in(from::pipe{});
  auto runs = c.spawn(*loop_).value();
  for (const bool abandons : {false, true}) {
    auto job = pool_.make([&] { (void)runs.wait(); });
    ASSERT_TRUE(job->resume().parked());
    auto second = pool_.make([&] { EXPECT_EQ(kind_of(runs.wait()), errc::busy); });
    ASSERT_TRUE(second->resume().finished());
#if BAST_EXCEPTIONS
    ASSERT_TRUE(abandons ? job->release(abandon) : job->release());
#else
    (void)abandons;
    ASSERT_TRUE(job->release(abandon));
#endif
    EXPECT_FALSE(runs.has_ended());
  }
  runs.pipes.stdin_pipe.reset();
  until_idle();
  EXPECT_EQ(runs.wait()->status.code, 5);
}

TEST_F(ChildProcess, F12_OnAStackThatIsAbandonedItIsStopped) {
  auto job = pool_.make([&] {
    auto c = child({"hang"});
    auto runs = c.spawn(*loop_).value();
    (void)runs.wait();
  });
  ASSERT_TRUE(job->resume().parked());
  ASSERT_TRUE(job->release(abandon));
  until_idle();
  EXPECT_TRUE(test::has_no_child());
}

// An owner may end, or let go, while a coroutine waits: before the end of the program, and between
// the end and the moment at which the coroutine continues.
TEST_F(ChildProcess, C12_AWaitOutlivesTheOwner) {
  for (const bool detaches : {false, true}) {
    auto c = child({"drain", "exit", "6"});
    c.in(from::pipe{});
    auto runs = std::make_unique<child_process>(c.spawn(*loop_).value());
    os::descriptor input = std::move(runs->pipes.stdin_pipe);
    std::optional<process_result> ended;
    auto job = pool_.make([&] { ended = runs->wait().value(); });
    ASSERT_TRUE(job->resume().parked());
    if (detaches) runs->detach();
    runs.reset();
    if (detaches) input.reset();
    until_idle();
    EXPECT_TRUE(job->peek().finished());
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ended_by, detaches ? process_ending::exited : process_ending::cancelled);
    if (detaches) {
      EXPECT_EQ(ended->status.code, 6);
    }
  }
  EXPECT_TRUE(test::has_no_child());
}

TEST_F(ChildProcess, C12_SiblingsMayEndEachOthersOwners) {
  in_coroutine([] {});
  const test::leak_baseline before;
  for (const bool detaches : {false, true}) {
    std::optional<child_process> runs[2];
    for (auto& each : runs) each = child({"exit", "0"}).spawn(*loop_).value();
    int right = 0;
    const auto body = [&](int mine) {
      right += runs[mine]->wait()->status.success() ? 1 : 0;
      auto& other = runs[1 - mine];
      if (!other) return;
      if (detaches) {
        other->detach();
      } else {
        other.reset();
      }
    };
    auto first = pool_.make([&] { body(0); });
    auto second = pool_.make([&] { body(1); });
    ASSERT_TRUE(first->resume().parked());
    ASSERT_TRUE(second->resume().parked());
    // Both have ended before the loop looks, so that both coroutines are woken in one turn.
    for (const auto& each : runs) {
      siginfo_t info{};
      ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(each->pid()), &info, WEXITED | WNOWAIT), 0);
    }
    until_idle();
    EXPECT_EQ(right, 2);
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_F(ChildProcess, C12_ACoroutineThatIsWokenAndReleasedLeavesNothing) {
  in_coroutine([] {});
  const test::leak_baseline before;
  for (const bool owned : {true, false}) {
    std::optional<child_process> runs = child({"exit", "0"}).spawn(*loop_).value();
    std::optional<coro<>> waits = *pool_.make([&] { (void)runs->wait(); });
    ASSERT_TRUE(waits->resume().parked());
    auto c = child({"exit", "0"});
    // Called in the same turn, when the first has ended and its coroutine has not continued.
    struct both {
      std::optional<child_process>& runs;
      std::optional<coro<>>& waits;
      bool owned;
    } all{runs, waits, owned};
    const auto finished = [](void* context, process_id, process_result&&) noexcept {
      auto& a = *static_cast<both*>(context);
      if (!a.owned) a.runs.reset();
      (void)a.waits->release(abandon);
    };
    ASSERT_TRUE(c.start(*loop_, finished, &all));
    until_idle();
    runs.reset();
    waits.reset();
  }
  until_idle();
  EXPECT_EQ(before.differences(), "");
}

TEST_F(ChildProcess, IO16_EndingItOnAnotherThreadEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto runs = child({"hang"}).spawn(*loop_).value();
  EXPECT_DEATH(std::thread([&] { const child_process gone = std::move(runs); }).join(),
               "a process driver is used on a thread other than its own");
}

TEST_F(ChildProcess, C12_StartRefusesAToken) {
  const cancel_source source = cancel_source::create().value();
  auto c = child({"exit", "0"});
  c.cancelled_by(source.token());
  EXPECT_EQ(words_of(c.start(*loop_, nullptr, nullptr)),
            "command.start: invalid argument: cancelled_by is for run and spawn: pass the id to "
            "process_driver::cancel");
  EXPECT_FALSE(c.started());
}

TEST_F(ChildProcess, X5_WhatItCannotDoIsAnError) {
  child_process nothing;
  EXPECT_EQ(nothing.pid(), -1);
  EXPECT_EQ(words_of(nothing.wait()),
            "child_process.wait: stale handle: it was waited for, detached or moved from");
  nothing.detach();
  auto c = child({"hang"});
  auto runs = c.spawn(*loop_).value();
  EXPECT_EQ(kind_of(runs.wait()), errc::not_in_fiber);
  EXPECT_EQ(kind_of(runs.signal(65)), errc::invalid);
  EXPECT_EQ(kind_of(runs.signal(-1)), errc::invalid);
  EXPECT_TRUE(runs.signal(0)) << "as with kill(2): it exists";
  EXPECT_EQ(kind_of(c.spawn(*loop_)), errc::bad_state) << "it was started before";
  auto missing = command::argv({"/nonexistent/program"});
  EXPECT_EQ(kind_of(missing.spawn(*loop_)), errc::io);
}

TEST_F(ChildProcess, X6_EveryFailureLeavesNothing) {
  (void)child({"exit", "0"}).spawn(*loop_);
  until_idle();
  const test::leak_baseline before;
  for (std::uint64_t nth = 1; nth < 200; ++nth) {
    auto c = child({"exit", "0"});
    const os::fault_scope fault({.kind = os::call::any, .nth = nth});
    {
      const auto runs = c.spawn(*loop_);
      if (!runs) {
        EXPECT_NE(runs.error().detail(), nullptr);
      }
    }
    while (!loop_->idle()) (void)loop_->turn(1h);
    if (fault.injected() == 0) break;
    ASSERT_LT(nth, 199U);
  }
  EXPECT_TRUE(test::has_no_child());
  EXPECT_EQ(before.differences(), "");
}

// A pipeline: each program's output is the next one's input.
TEST_F(ChildProcess, P5_ProgramsAreConnectedByPipes) {
  in_coroutine([&] {
    auto link = os::make_pipe().value();
    auto writes = child({"out", "100000"});
    auto reads = child({"cat"});
    writes.out(to::fd{link.write_end.get()});
    reads.in(from::fd{link.read_end.get()}).out(to::capture{});
    auto first = writes.spawn(*loop_).value();
    auto second = reads.spawn(*loop_).value();
    link = {};  // Otherwise the reader would see no end.
    EXPECT_TRUE(first.wait()->check());
    const auto ended = second.wait();
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->check());
    EXPECT_EQ(ended->output.bytes.size(), 100'000U);
  });
}

}  // namespace
}  // namespace bast
