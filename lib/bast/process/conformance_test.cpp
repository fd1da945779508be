// SPDX-License-Identifier: Apache-2.0
//
// Real children under every loop in bast (P-23).
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <map>
#include <thread>

#include "bast/testing/baseline.hpp"
#include "bast/testing/loop_test.hpp"
#include "bast/testing/real_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child_of;
using test::pattern;
using test::real_child;
using test::start_of;

/// Waits until the child says so, and takes the word from its pipe.
void await_ready(const real_child& child) {
  pollfd wait{.fd = child.output, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&wait, 1, 60'000), 1);
  char word[6];
  ASSERT_EQ(::read(child.output, word, sizeof word), 6);
}

class Conformance : public test::loop_test {
 protected:
  void TearDown() override {
    loop_test::TearDown();
    if (!has_loop()) return;
    loop_.reset();
    EXPECT_EQ(test::process_counts::now().fds, before_.fds);
    siginfo_t info;
    EXPECT_EQ(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1) << "a zombie is left";
  }

  process_id follow(process_start start) {
    start.context = this;
    start.finished = [](void* context, process_id, process_result&& result) noexcept {
      auto& self = *static_cast<Conformance*>(context);
      const pid_t pid = result.pid;
      self.results_[pid] = std::move(result);
      if (self.on_end) self.on_end();
    };
    const auto id = loop_->start(start);
    EXPECT_TRUE(id) << id.error().message();
    return id.value_or(process_id());
  }
  void run() {
    while (loop_->machine().stats().live != 0) loop_->turn();
  }
  process_result run_it(const process_start& start) {
    follow(start);
    run();
    return std::move(results_[start.pid]);
  }
  process_result run(const std::vector<std::string>& steps) {
    return run_it(start_of(child_of(steps)));
  }

  test::process_counts before_ = test::process_counts::now();
  std::map<pid_t, process_result> results_;
  std::function<void()> on_end;
};

INSTANTIATE_TEST_SUITE_P(Loops, Conformance, test::each_loop, test::name_of_loop);

TEST_P(Conformance, P13_OutputAndExitAreTakenTogether) {
  const process_result r = run({"say", "hello", "exit", "0"});
  EXPECT_EQ(r.output.bytes.text(), "hello\n");
  EXPECT_EQ(r.errors.bytes.text(), "");
  EXPECT_EQ(r.output.truncated, truncation::none);
  EXPECT_TRUE(r.status.success());
  EXPECT_TRUE(r.check());
  EXPECT_GT(r.usage.ru_maxrss, 0);
}

TEST_P(Conformance, P19_AnExitCodeIsData) {
  for (const int code : {0, 1, 42, 255}) {
    const process_result r = run({"exit", std::to_string(code)});
    EXPECT_EQ(r.status, (exit_status{.how = exit_status::kind::exited, .code = code}));
    EXPECT_EQ(r.ended_by, process_ending::exited);
    EXPECT_EQ(r.check().has_value(), code == 0);
  }
}

TEST_P(Conformance, P12_ASignalIsToldWithItsCore) {
  for (const int number : {SIGKILL, SIGUSR1, SIGABRT}) {
    // Whether there is a core depends on the machine: an unsupervised child shows it.
    const real_child other = child_of({"signal", std::to_string(number)});
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(other.pid), &info, WEXITED), 0);
    for (const int fd : {other.pidfd, other.output, other.errors}) ::close(fd);

    const process_result r = run({"signal", std::to_string(number)});
    EXPECT_EQ(r.status, (exit_status{.how = exit_status::kind::signalled,
                                     .core_dumped = info.si_code == CLD_DUMPED,
                                     .code = number}));
  }
}

TEST_P(Conformance, P16_TenMebibytesOnBothStreams) {
  constexpr std::size_t size = 10 << 20;
  const process_result r = run({"out", std::to_string(size), "err", std::to_string(size)});
  EXPECT_TRUE(r.output.bytes.text() == pattern(size));
  EXPECT_TRUE(r.errors.bytes.text() == pattern(size));
  EXPECT_TRUE(r.check());
}

TEST_P(Conformance, P16_AtTheLimitTheProcessIsStopped) {
  process_start start = start_of(child_of({"out", "1000000", "hang"}));
  start.output.limit = bytes{1000};
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::limit);
  EXPECT_EQ(r.status, (exit_status{.how = exit_status::kind::signalled, .code = SIGTERM}));
  EXPECT_EQ(r.output.bytes.text(), pattern(1000));
  EXPECT_EQ(r.output.truncated, truncation::limit);
  EXPECT_EQ(r.check().error().kind(), errc::limit);
}

TEST_P(Conformance, P16_ExactlyTheLimitIsNotTooMuch) {
  process_start start = start_of(child_of({"out", "4096"}));
  start.output.limit = bytes{4096};
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::exited);
  EXPECT_EQ(r.output.bytes.text(), pattern(4096));
  EXPECT_EQ(r.output.truncated, truncation::none);
}

TEST_P(Conformance, P16_WhatIsBeyondTheLimitIsDrained) {
  process_start start = start_of(child_of({"out", "1000000", "exit", "3"}));
  start.output = {.limit = bytes{1000}, .policy = on_limit::truncate_and_drain};
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::exited);
  EXPECT_EQ(r.status.code, 3);
  EXPECT_EQ(r.output.bytes.text(), pattern(1000));
  EXPECT_EQ(r.output.discarded, 999'000U);
  EXPECT_LE(r.output.bytes.capacity(), 1000U + (64U << 10));
}

TEST_P(Conformance, P16_UnderBackpressureNothingIsLost) {
  process_start start = start_of(child_of({"out", "1000000", "exit", "0"}));
  start.output = {.limit = bytes{5000}, .policy = on_limit::backpressure};
  const process_id id = follow(start);
  std::string taken;
  std::byte part[700];
  while (loop_->machine().is_live(id)) {
    while (true) {
      const auto count = loop_->machine().take(id, output_stream::output, part);
      ASSERT_TRUE(count);
      taken.append(reinterpret_cast<const char*>(part), *count);
      if (*count == 0) break;
    }
    loop_->turn();
  }
  taken += results_[start.pid].output.bytes.text();
  EXPECT_TRUE(taken == pattern(1'000'000));
  EXPECT_EQ(results_[start.pid].output.truncated, truncation::none);
}

TEST_P(Conformance, P16_UnderBackpressureTheLastBytesNeedNobody) {
  // A full buffer and a full pipe, and no reader.
  for (const std::size_t size : {4096U, 4097U, 60'000U, 4096U + 65'536U}) {
    process_start start = start_of(child_of({"out", std::to_string(size), "exit", "0"}));
    start.output = {.limit = bytes{4096}, .policy = on_limit::backpressure};
    start.drain_grace = std::chrono::nanoseconds::max();
    const process_result r = run_it(start);
    EXPECT_TRUE(r.output.bytes.text() == pattern(size)) << r.output.bytes.size();
    EXPECT_EQ(r.output.truncated, truncation::none);
    EXPECT_TRUE(r.check());
  }
}

TEST_P(Conformance, P16_UnderBackpressureWhatIsLostIsNoSuccess) {
  process_start start = start_of(child_of({"pipe_size", "1048576", "out", "200000", "exit", "0"}));
  start.output = {.limit = bytes{4096}, .policy = on_limit::backpressure};
  // Long enough to read 64 KiB beside other work, which 1 ms under TSan was not.
  start.drain_grace = 200ms;
  const process_result r = run_it(start);
  EXPECT_TRUE(r.output.bytes.text() == pattern(4096 + 65'536));
  EXPECT_EQ(r.output.truncated, truncation::limit);
  EXPECT_EQ(r.status.code, 0);
  EXPECT_EQ(r.check().error(), errc::limit);
}

TEST_P(Conformance, P14_ATimeoutTerminates) {
  const real_child child = child_of({"ready", "hang"});
  await_ready(child);
  process_start start = start_of(child);
  start.timeout = 1ms;
  start.grace = std::chrono::nanoseconds::max();
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::timed_out);
  EXPECT_EQ(r.status, (exit_status{.how = exit_status::kind::signalled, .code = SIGTERM}));
  EXPECT_EQ(r.check().error().kind(), errc::timed_out);
}

TEST_P(Conformance, P14_WhoIgnoresItIsKilled) {
  const real_child child = child_of({"ignore", "15", "say", "first", "ready", "hang"});
  char word[12];
  for (std::size_t got = 0; got < sizeof word;) {
    pollfd wait{.fd = child.output, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 60'000), 1);
    const ssize_t size = ::read(child.output, word + got, sizeof word - got);
    ASSERT_GT(size, 0);
    got += static_cast<std::size_t>(size);
  }
  process_start start = start_of(child);
  start.timeout = 1ms;
  start.grace = 1ms;
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::timed_out);
  EXPECT_EQ(r.status, (exit_status{.how = exit_status::kind::signalled, .code = SIGKILL}));
}

TEST_P(Conformance, P13_AGrandchildThatKeepsThePipeDoesNotKeepUs) {
  process_start start = start_of(child_of({"say", "x", "grandchild", "exit", "0"}));
  start.drain_grace = 1ms;
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::exited);
  EXPECT_TRUE(r.status.success());
  EXPECT_EQ(r.output.truncated, truncation::grandchild);
  EXPECT_EQ(::kill(-start.pid, SIGKILL), 0);  // It still holds the group's number.
}

TEST_P(Conformance, P11_StragglersAreKilledBeforeTheLeaderIsReaped) {
  process_start start = start_of(child_of({"say", "x", "grandchild", "exit", "7"}));
  start.kill_group_on_exit = true;
  start.drain_grace = std::chrono::nanoseconds::max();  // The pipe ends because they end.
  const process_result r = run_it(start);
  EXPECT_EQ(r.status.code, 7);
  EXPECT_EQ(r.output.bytes.text(), "x\n");
  EXPECT_EQ(r.output.truncated, truncation::none);
}

TEST_P(Conformance, P14_TheWholeGroupIsTerminated) {
  const real_child child = child_of({"grandchild", "ready", "hang"});
  await_ready(child);
  process_start start = start_of(child);
  start.timeout = 1ms;
  start.drain_grace = std::chrono::nanoseconds::max();
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::timed_out);
  EXPECT_EQ(r.output.truncated, truncation::none);
}

TEST_P(Conformance, P14_AMemberThatOutlivesTheLeaderIsKilledAfterTheGrace) {
  const real_child child =
      child_of({"ignore", "15", "grandchild", "default", "15", "ready", "hang"});
  await_ready(child);
  process_start start = start_of(child);
  start.timeout = 1ms;
  start.grace = 1ms;
  start.drain_grace = std::chrono::nanoseconds::max();  // The pipe ends because it ends.
  const process_result r = run_it(start);
  EXPECT_EQ(r.ended_by, process_ending::timed_out);
  EXPECT_EQ(r.output.truncated, truncation::none);
}

TEST_P(Conformance, P14_WhoIsStoppedHearsSIGTERMAtOnce) {
  const real_child child = child_of({"ready", "signal", "19"});
  await_ready(child);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid), &info, WSTOPPED | WNOWAIT), 0);
  process_start start = start_of(child);
  start.timeout = 1ms;
  start.grace = std::chrono::nanoseconds::max();
  const process_result r = run_it(start);
  EXPECT_EQ(r.status, (exit_status{.how = exit_status::kind::signalled, .code = SIGTERM}));
}

TEST_P(Conformance, P12_AHostThatAdoptsOrphansReapsThoseOfTheGroup) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  process_start start = start_of(child_of({"grandchild", "grandchild", "exit", "7"}));
  start.kill_group_on_exit = true;
  EXPECT_EQ(run_it(start).status.code, 7);
  // Members that end by themselves are not waited for; a process that left the group is the host's.
  const real_child child = child_of({"ready", "leaver", "exit", "3"});
  await_ready(child);
  EXPECT_EQ(run_it(start_of(child)).status.code, 3);
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_ALL, 0, &info, WEXITED), 0) << "the process that left the group";
  EXPECT_EQ(info.si_status, 9);
}

TEST_P(Conformance, P22_TwoHundredAtOnce) {
  std::map<pid_t, int> codes;
  for (int i = 0; i < 200; ++i) {
    const real_child child =
        child_of({"say", std::to_string(i), "err", "100", "exit", std::to_string(i)});
    codes[child.pid] = i;
    follow(start_of(child));
  }
  run();
  ASSERT_EQ(results_.size(), 200U);
  for (const auto& [pid, r] : results_) {
    EXPECT_EQ(r.status.code, codes[pid]);
    EXPECT_EQ(r.output.bytes.text(), std::to_string(codes[pid]) + "\n");
    EXPECT_EQ(r.errors.bytes.text(), pattern(100));
  }
}

TEST_P(Conformance, IO9_AnotherThreadCancels) {
  for (int round = 0; round < 20; ++round) {
    const process_start start = start_of(child_of({"hang"}));
    const process_id id = follow(start);
    std::thread other([&] { loop_->cancel_from_anywhere(id); });
    run();
    other.join();
    EXPECT_EQ(results_[start.pid].ended_by, process_ending::cancelled);
    // A stale id does no harm.
    loop_->cancel_from_anywhere(id);
    EXPECT_TRUE(run({"exit", "0"}).check());
  }
}

TEST_P(Conformance, P14_CancelledAtOnce) {
  const process_start start = start_of(child_of({"hang"}));
  const process_id id = follow(start);
  ASSERT_TRUE(loop_->cancel(id));
  run();
  EXPECT_EQ(results_[start.pid].ended_by, process_ending::cancelled);
  EXPECT_EQ(loop_->cancel(id).error().kind(), errc::stale_handle);
}

TEST_P(Conformance, P12_ReapedBySomebodyElseIsLost) {
  const process_start start = start_of(child_of({"say", "x", "exit", "3"}));
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(start.pid), &info, WEXITED), 0);
  const process_result r = run_it(start);
  EXPECT_EQ(r.status.how, exit_status::kind::lost);
  EXPECT_EQ(r.output.bytes.text(), "x\n");
  EXPECT_EQ(r.check().error().kind(), errc::lost);
}

TEST_P(Conformance, P12_WithSigchldIgnoredTheStatusIsLost) {
  const real_child child = child_of({"ready", "hang"});
  await_ready(child);
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  ASSERT_EQ(::kill(child.pid, SIGKILL), 0);
  const process_result r = run_it(start_of(child));
  ::signal(SIGCHLD, before);
  EXPECT_EQ(r.status.how, exit_status::kind::lost);
}

TEST_P(Conformance, P22_TheNextOneIsStartedFromInsideTheLastOnesEnd) {
  int left = 10;
  on_end = [&] {
    if (left-- > 0) follow(start_of(child_of({"exit", "0"})));
  };
  run({"exit", "0"});
  EXPECT_EQ(results_.size(), 11U);
}

TEST_P(Conformance, P14_ShutDownEndsWhoIsThere) {
  for (int i = 0; i < 5; ++i) follow(start_of(child_of({"out", "1000", "hang"})));
  loop_->shut_down();
  EXPECT_EQ(results_.size(), 5U);
  for (const auto& [pid, r] : results_) EXPECT_EQ(r.ended_by, process_ending::cancelled);
  EXPECT_EQ(loop_->start(start_of({.pid = 1, .pidfd = 0})).error().kind(), errc::shutdown);
}

}  // namespace
}  // namespace bast
