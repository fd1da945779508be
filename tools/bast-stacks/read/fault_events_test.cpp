// SPDX-License-Identifier: Apache-2.0
//
// Page faults of a process, on a scripted kernel: the requests, the refusals, and the reads of its
// rings.
#include "read/fault_events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <bast/config.hpp>

#include "model/test_record_text.hpp"
#include "read/source.hpp"
#include "read/testing/fake_perf.hpp"
#include "read/testing/waiting_thread.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::answered_call;
using testing::called;
using testing::cannot_watch;
using ::testing::ElementsAre;
using testing::fake_perf;
using testing::waiting_thread;

constexpr std::uint16_t machine_x86 = 62;
constexpr std::uint16_t machine_arm = 183;

/// The mappings of rings in this process, in bytes of each.
std::vector<std::uint64_t> mapped_rings() {
  std::vector<std::uint64_t> all;
  std::string text = read_proc("/proc/self/maps", 16 << 20).value_or("");
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    if (line.find("/memfd:perf") == line.npos || line.find(" rw-s 00000000 ") == line.npos)
      continue;
    std::size_t used = 0;
    const std::uint64_t low = std::stoull(line, &used, 16);
    all.push_back(std::stoull(line.substr(used + 1), nullptr, 16) - low);
  }
  return all;
}

TEST(FaultEvents, OneIsOpenedForEachThreadAndCpuAndACpuHasOneRing) {
  const waiting_thread other;
  fake_perf kernel;
  const pid_t own = ::getpid();
  {
    const auto events = fault_events::open(own, machine_x86);
    ASSERT_TRUE(events) << events.error().what;
    EXPECT_TRUE(events->sees_kernel());
    const auto line = [&](const char* what, pid_t thread, int cpu, const char* more) {
      return fmt::format("{} {} cpu {} {}", what, thread, cpu, more);
    };
    const std::string first = fmt::format("to {} cpu ", own);
    EXPECT_THAT(kernel.said, ElementsAre(line("open", own, 0, "group -1 kernel true"),
                                         line("open", own, 1, "group -1 kernel true"),
                                         line("open", other.id(), 0, "group -1 kernel true"),
                                         line("redirect", other.id(), 0, (first + "0").c_str()),
                                         line("open", other.id(), 1, "group -1 kernel true"),
                                         line("redirect", other.id(), 1, (first + "1").c_str())));
    EXPECT_THAT(kernel.open_flags, ::testing::Each(PERF_FLAG_FD_CLOEXEC));
    EXPECT_THAT(mapped_rings(), ElementsAre(513 * 4096, 513 * 4096));
  }
  // Nothing of it remains.
  EXPECT_THAT(mapped_rings(), ElementsAre());
  for (const auto& each : kernel.events) {
    EXPECT_EQ(::fcntl(each.fd, F_GETFD), -1);
    EXPECT_EQ(errno, EBADF);
  }
}

TEST(FaultEvents, WhatAnEventAsksForIsEveryFaultWithRegistersAndStack) {
  for (const sampled_registers& registers : sampled_registers_of) {
    fake_perf kernel;
    ASSERT_TRUE(fault_events::open(::getpid(), registers.machine));
    perf_event_attr expected{};
    expected.type = PERF_TYPE_SOFTWARE;
    expected.size = sizeof expected;
    expected.config = PERF_COUNT_SW_PAGE_FAULTS_MIN;
    expected.sample_period = 1;
    expected.sample_type =
        PERF_SAMPLE_TID | PERF_SAMPLE_ADDR | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
    expected.inherit = 1;
    expected.exclude_hv = 1;
    expected.sample_regs_user = registers.machine == machine_x86 ? 0x1c0 : 0x1'e000'0000;
    expected.sample_stack_user = 4096;
    expected.inherit_thread = 1;
    for (const auto& each : kernel.events)
      EXPECT_EQ(std::memcmp(&each.asked, &expected, sizeof expected), 0);
    EXPECT_EQ(kernel.events.size(), 2U);
  }
  fake_perf kernel;
  EXPECT_EQ(
      error_text(fault_events::open(7, 40)),
      "3 process 7 runs on a CPU (ELF machine 40) whose registers this program does not know");
  EXPECT_TRUE(kernel.said.empty());
}

TEST(FaultEvents, WithoutTheRightTheFaultsOfTheKernelAreLeftOut) {
  for (const int error : {EACCES, EPERM}) {
    fake_perf kernel;
    kernel.refusal = [error](const auto& wanted) {
      return wanted.asked.exclude_kernel == 0 ? error : 0;
    };
    const auto events = fault_events::open(::getpid(), machine_arm);
    ASSERT_TRUE(events) << events.error().what;
    EXPECT_FALSE(events->sees_kernel());
    const auto line = [](int cpu, bool with) {
      return fmt::format("open {} cpu {} group -1 kernel {}", ::getpid(), cpu, with);
    };
    EXPECT_THAT(kernel.said, ElementsAre(line(0, true), line(0, false), line(1, false)));
    perf_event_attr expected = kernel.events[0].asked;
    expected.exclude_kernel = 1;
    EXPECT_EQ(std::memcmp(&kernel.events[0].asked, &expected, sizeof expected), 0);
  }
}

TEST(FaultEvents, ARefusalIsOneWhenNothingElseIsLeftToTry) {
  struct row {
    int error;
    int opened_before;
    std::size_t asked;
    std::string text;
  };
  const std::string other_way =
      " | start the program by bast-stacks run --deepest -- PROGRAM, which needs no perf events";
  const row rows[] = {
      {EACCES, 0, 2, "perf_event_open: Permission denied"},
      {EPERM, 0, 2, "perf_event_open: Operation not permitted"},
      // Once an event samples the kernel's faults, the right is not missing.
      {EACCES, 1, 2, "perf_event_open: Permission denied"},
      {EPERM, 1, 2, "perf_event_open: Operation not permitted"},
      {ENOSYS, 0, 1,
       "perf_event_open: Function not implemented (this kernel has no perf events)" + other_way},
      {EINVAL, 0, 1, "perf_event_open: Invalid argument (it takes Linux 5.13)" + other_way},
      {EMFILE, 1, 2,
       "perf_event_open: Too many open files (1 are open; every thread takes one for each CPU) | "
       "ulimit -n 65536, where the hard limit allows it"},
      {EMFILE, 0, 1,
       "perf_event_open: Too many open files (0 are open; every thread takes one for each CPU) | "
       "ulimit -n 65536, where the hard limit allows it"},
      {EINTR, 0, 1, "perf_event_open: Interrupted system call"},
      {EAGAIN, 1, 2, "perf_event_open: Resource temporarily unavailable"},
  };
  for (const row& each : rows) {
    fake_perf kernel;
    kernel.refusal = [&](const auto&) {
      return std::ssize(kernel.events) < each.opened_before ? 0 : each.error;
    };
    const std::string said = error_text(fault_events::open(::getpid(), machine_x86));
    const bool of_rights = each.error == EACCES || each.error == EPERM;
    EXPECT_EQ(of_rights ? said.substr(0, said.find(" (")) : said, cannot_watch(each.text));
    EXPECT_EQ(kernel.said.size(), each.asked) << each.text;
  }
}

TEST(FaultEvents, ThreadsThatEndedAndCpusThatAreOffAreLeftOut) {
  const waiting_thread gone;
  fake_perf kernel;
  kernel.cpus = 3;
  kernel.refusal = [&](const auto& wanted) {
    if (wanted.thread == gone.id()) return ESRCH;
    return wanted.cpu == 1 ? ENODEV : 0;
  };
  const auto events = fault_events::open(::getpid(), machine_x86);
  ASSERT_TRUE(events) << events.error().what;
  EXPECT_EQ(kernel.said.size(), 6U);
  EXPECT_EQ(kernel.events.size(), 2U);
  std::vector<pollfd> all;
  events->wait_on(all);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].fd, kernel.fd_of(::getpid(), 0));
  EXPECT_EQ(all[1].fd, kernel.fd_of(::getpid(), 2));
}

TEST(FaultEvents, AProcessOfWhichNothingIsLeftHasEnded) {
  fake_perf kernel;
  kernel.refusal = [](const auto&) { return ESRCH; };
  EXPECT_EQ(error_text(fault_events::open(::getpid(), machine_x86)),
            fmt::format("3 process {} has ended", ::getpid()));
  EXPECT_EQ(kernel.said.size(), 2U);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(error_text(fault_events::open(child, machine_x86)),
            fmt::format("3 process {} has ended", child));
  EXPECT_EQ(kernel.said.size(), 2U);
}

/// A process that starts a thread whenever an event is opened, up to `most`.
struct growing_process {
  fake_perf kernel;
  std::vector<std::unique_ptr<waiting_thread>> threads;
  explicit growing_process(std::size_t most) {
    kernel.cpus = 1;
    kernel.refusal = [this, most](const auto&) {
      if (threads.size() < most) threads.push_back(std::make_unique<waiting_thread>());
      return 0;
    };
  }
};

TEST(FaultEvents, ThreadsThatCameMeanwhileAreWatchedToo) {
  growing_process process(3);
  fake_perf& kernel = process.kernel;
  ASSERT_TRUE(fault_events::open(::getpid(), machine_x86));
  ASSERT_EQ(kernel.events.size(), 4U);
  EXPECT_EQ(kernel.events[0].thread, ::getpid());
  for (const auto& each : process.threads) EXPECT_NE(kernel.fd_of(each->id(), 0), -1);
}

TEST(FaultEvents, AProgramThatStartsThreadsWithoutEndIsLeftAtSomeTime) {
  growing_process process(40);
  ASSERT_TRUE(fault_events::open(::getpid(), machine_x86));
  // A pass finds at least the threads that started during the previous one.
  EXPECT_EQ(process.kernel.events.size(), 16U);
}

}  // namespace
}  // namespace bast_stacks
