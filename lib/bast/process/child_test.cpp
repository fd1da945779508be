// SPDX-License-Identifier: Apache-2.0
//
// `child_process`: a program's pid, signals, pipes and end while it runs.
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

#include "bast/process/child_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;
using test::kind_of;
using test::words_of;
using ChildProcess = test::child_process_test;

TEST_F(ChildProcess, P14_HasAPidTakesSignalsAndEnds) {
  in_coroutine([&] {
    auto c = child({"ready", "hang"});
    c.out(to::pipe{});
    auto runs = c.spawn(*loop_);
    ASSERT_TRUE(runs) << runs.error().message();
    EXPECT_GT(runs->pid(), 0);
    EXPECT_EQ(::getpgid(runs->pid()), runs->pid());
    EXPECT_EQ(line_of(*runs), "ready");
    EXPECT_FALSE(runs->has_ended());
    const process_id id = runs->id();
    EXPECT_TRUE(loop_->signal(id, 0)) << "the driver knows it by this id";
    ASSERT_TRUE(runs->signal(SIGUSR1));
    const auto ended = runs->wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ended_by, process_ending::exited);
    EXPECT_EQ(ended->status.how, exit_status::kind::signalled);
    EXPECT_EQ(ended->status.code, SIGUSR1);
    EXPECT_EQ(runs->pid(), -1) << "the result is taken once";
    EXPECT_EQ(runs->id(), process_id());
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
      EXPECT_EQ(line_of(runs), "ready");
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
    EXPECT_EQ(line_of(runs), "ready");
    ASSERT_TRUE(runs.stop());
    const auto ended = runs.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ended_by, process_ending::cancelled);
    EXPECT_EQ(ended->status.code, SIGKILL);
  });
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

TEST_F(ChildProcess, C12_ATokenThatFiresAfterTheEndWakesNoLoop) {
  const cancel_source source = cancel_source::create().value();
  auto c = child({"exit", "0"});
  c.cancelled_by(source.token());
  auto runs = c.spawn(*loop_).value();
  until_idle();
  source.cancel();
  pollfd wakes{.fd = loop_->fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wakes, 1, 0), 0);
  EXPECT_EQ(runs.wait()->ended_by, process_ending::exited);
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

// An owner may end, or let go, while a coroutine waits: before the end of the program, and between
// the end and the moment at which the coroutine continues.
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
