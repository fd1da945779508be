// SPDX-License-Identifier: Apache-2.0
//
// Who owns a child_process: what happens to the program, and to a coroutine that waits for it, when
// the owner ends or lets go.
#include <gtest/gtest.h>
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
using ChildOwner = test::child_process_test;

TEST_F(ChildOwner, P13_AnOwnerThatEndsStopsItAndTheLoopReapsIt) {
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

TEST_F(ChildOwner, P13_AssignmentStopsWhatWasThere) {
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

TEST_F(ChildOwner, P13_ADetachedOneRunsOnAndIsReaped) {
  auto c = child({"drain", "exit", "0"});
  os::pipe_ends input = os::make_pipe().value();
  c.in(from::fd{input.read_end.get()});
  auto runs = c.spawn(*loop_).value();
  const pid_t pid = runs.pid();
  runs.detach();
  EXPECT_EQ(runs.pid(), -1);
  ASSERT_TRUE(loop_->turn(0ns));
  EXPECT_EQ(::kill(pid, 0), 0) << "it was not stopped";
  EXPECT_FALSE(loop_->idle());
  input.write_end.reset();
  until_idle();
  EXPECT_TRUE(test::has_no_child());
  EXPECT_EQ(loop_->machine().stats().finished, 1U);
}

TEST_F(ChildOwner, P13_DetachingWhatHasEndedFreesTheResult) {
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

TEST_F(ChildOwner, F12_AReleasedCoroutineLeavesAChildThatLiesElsewhere) {
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
  runs.close_input();
  until_idle();
  EXPECT_EQ(runs.wait()->status.code, 5);
}

TEST_F(ChildOwner, IO16_OnAnotherThreadItsFunctionsFailAndTheWaitGoesOn) {
  auto c = child({"drain", "exit", "5"});
  c.in(from::pipe{});
  auto runs = c.spawn(*loop_).value();
  std::optional<int> code;
  auto job = pool_.make([&] { code = runs.wait()->status.code; });
  ASSERT_TRUE(job->resume().parked());
  std::thread([&] {
    EXPECT_EQ(kind_of(runs.signal(SIGKILL)), errc::wrong_thread);
    EXPECT_EQ(kind_of(runs.stop()), errc::wrong_thread);
    coro_pool theirs = coro_pool::create().value();
    auto second = theirs.make([&] { EXPECT_EQ(kind_of(runs.wait()), errc::wrong_thread); });
    EXPECT_TRUE(second->resume().finished());
  }).join();
  runs.close_input();
  until_idle();
  EXPECT_EQ(code, 5);
}

TEST_F(ChildOwner, F12_OnAStackThatIsAbandonedItIsStopped) {
  auto c = child({"hang"});
  auto job = pool_.make([&] {
    auto runs = c.spawn(*loop_).value();
    (void)runs.wait();
  });
  ASSERT_TRUE(job->resume().parked());
  ASSERT_TRUE(job->release(abandon));
  until_idle();
  EXPECT_TRUE(test::has_no_child());
}

TEST_F(ChildOwner, C12_AWaitOutlivesTheOwner) {
  for (const bool detaches : {false, true}) {
    auto c = child({"drain", "exit", "6"});
    os::pipe_ends input = os::make_pipe().value();
    c.in(from::fd{input.read_end.get()});
    auto runs = std::make_unique<child_process>(c.spawn(*loop_).value());
    std::optional<process_result> ended;
    auto job = pool_.make([&] { ended = runs->wait().value(); });
    ASSERT_TRUE(job->resume().parked());
    if (detaches) runs->detach();
    runs.reset();
    if (detaches) input.write_end.reset();
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

TEST_F(ChildOwner, C12_SiblingsMayEndEachOthersOwners) {
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

TEST_F(ChildOwner, C12_ACoroutineThatIsWokenAndReleasedLeavesNothing) {
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

TEST_F(ChildOwner, IO16_EndingItOnAnotherThreadEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // It ends with its input, when this process dies.
  auto c = child({"drain"});
  auto runs = c.in(from::pipe{}).out(to::null{}).err(to::null{}).spawn(*loop_).value();
  EXPECT_DEATH(std::thread([&] { const child_process gone = std::move(runs); }).join(),
               "a process driver is used on a thread other than its own");
}

}  // namespace
}  // namespace bast
