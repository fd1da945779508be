// SPDX-License-Identifier: Apache-2.0
//
// Page faults of a process, of a kernel that a test plays: what is asked of it, what it refuses,
// and what is read of its rings.
#include "read/fault_events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <bast/config.hpp>
#include <latch>
#include <thread>

#include "model/test_record_text.hpp"
#include "read/source.hpp"
#include "read/testing/fake_perf.hpp"
#include "read/testing/ring_writer.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::answered_call;
using testing::called;
using ::testing::ElementsAre;
using testing::fake_perf;
using testing::ring_writer;

constexpr std::uint16_t machine_x86 = 62;
constexpr std::uint16_t machine_arm = 183;

/// A thread that waits until it may go.
class waiting_thread {
 public:
  waiting_thread()
      : thread_([this] {
          id_ = ::gettid();
          began_.count_down();
          may_end_.wait();
        }) {
    began_.wait();
  }
  ~waiting_thread() {
    may_end_.count_down();
    thread_.join();
  }
  waiting_thread(const waiting_thread&) = delete;
  waiting_thread& operator=(const waiting_thread&) = delete;
  pid_t id() const { return id_; }

 private:
  std::latch began_{1};
  std::latch may_end_{1};
  pid_t id_ = 0;
  std::thread thread_;
};

std::string cannot_watch(const std::string& why) {
  return fmt::format("3 cannot watch the page faults of process {}: {}", ::getpid(), why);
}

/// Mappings of the rings that this process has, in bytes of each.
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
  // Nothing is left of it.
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
      // Once an event sees the kernel's faults, a right is not what is missing.
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

TEST(FaultEvents, ThreadsThatCameMeanwhileAreWatchedToo) {
  std::vector<std::unique_ptr<waiting_thread>> more;
  fake_perf kernel;
  kernel.cpus = 1;
  kernel.refusal = [&](const auto&) {
    if (more.size() < 3) more.push_back(std::make_unique<waiting_thread>());
    return 0;
  };
  ASSERT_TRUE(fault_events::open(::getpid(), machine_x86));
  ASSERT_EQ(kernel.events.size(), 4U);
  EXPECT_EQ(kernel.events[0].thread, ::getpid());
  for (std::size_t i = 0; i < more.size(); ++i) EXPECT_NE(kernel.fd_of(more[i]->id(), 0), -1) << i;
}

TEST(FaultEvents, AProgramThatStartsThreadsWithoutEndIsLeftAtSomeTime) {
  std::vector<std::unique_ptr<waiting_thread>> more;
  fake_perf kernel;
  kernel.cpus = 1;
  kernel.refusal = [&](const auto&) {
    if (more.size() < 40) more.push_back(std::make_unique<waiting_thread>());
    return 0;
  };
  ASSERT_TRUE(fault_events::open(::getpid(), machine_x86));
  // A pass finds at least what came during the one before.
  EXPECT_EQ(kernel.events.size(), 16U);
}

TEST(FaultEvents, ARingIsAsLargeAsTheKernelAllows) {
  if (BAST_WITH_ASAN) return;  // Its mmap is not ours.
  const auto with = [](std::size_t pages_most, int error) {
    std::vector<std::size_t> tried;
    const answered_call maps(called::mmap, [&](const auto& given) -> std::optional<long> {
      if (given[4] < 0) return std::nullopt;  // of the allocator
      EXPECT_EQ(given[0], 0);
      EXPECT_EQ(given[2], PROT_READ | PROT_WRITE);
      EXPECT_EQ(given[3], MAP_SHARED);
      EXPECT_EQ(given[5], 0);
      tried.push_back(static_cast<std::size_t>(given[1]) / 4096);
      if (tried.back() > pages_most) return -error;
      return std::nullopt;
    });
    fake_perf kernel;
    kernel.cpus = 1;
    const auto events = fault_events::open(::getpid(), machine_x86);
    return fmt::format("{} {}", fmt::join(tried, " "), error_text(events));
  };
  EXPECT_EQ(with(513, EPERM), "513 fine");
  EXPECT_EQ(with(129, EPERM), "513 257 129 fine");
  EXPECT_EQ(with(17, ENOMEM), "513 257 129 65 33 17 fine");
  EXPECT_EQ(with(16, EPERM),
            "513 257 129 65 33 17 " +
                cannot_watch("mmap of a perf ring: Operation not permitted (the user's memory for "
                             "perf events is used up) | ulimit -l unlimited, or run as root"));
  EXPECT_EQ(with(16, ENOMEM),
            "513 257 129 65 33 17 " + cannot_watch("mmap of a perf ring: Cannot allocate memory "
                                                   "(there is no memory for it)"));
}

TEST(FaultEvents, ARingThatTakesNoOtherEventIsAnError) {
  const waiting_thread other;
  fake_perf kernel;
  kernel.output_error = EIO;
  EXPECT_EQ(error_text(fault_events::open(::getpid(), machine_x86)),
            cannot_watch("PERF_EVENT_IOC_SET_OUTPUT: Input/output error"));
  EXPECT_EQ(kernel.said.size(), 4U);
}

TEST(FaultEvents, OneEventOfEachRingWakesUsUntilAllOfItsThreadsEnded) {
  const waiting_thread other;
  fake_perf kernel;
  auto events = fault_events::open(::getpid(), machine_x86);
  ASSERT_TRUE(events) << events.error().what;
  const auto waited_on = [&] {
    std::vector<pollfd> all(1);
    events->wait_on(all);
    EXPECT_EQ(all[0].fd, 0) << "what was there stays";
    std::string text;
    for (const pollfd& each : std::span(all).subspan(1)) {
      EXPECT_EQ(each.events, POLLIN);
      EXPECT_EQ(each.revents, 0);
      for (const auto& of : kernel.events) {
        if (of.fd == each.fd)
          text += fmt::format("{}{} ", of.thread == ::getpid() ? "own" : "other", of.cpu);
      }
    }
    return text;
  };
  const auto answer = [&](pid_t thread, int cpu, short what) {
    const pollfd all[] = {{.fd = 0, .events = POLLIN, .revents = POLLHUP},
                          {.fd = kernel.fd_of(thread, cpu), .events = POLLIN, .revents = what}};
    events->heed(all);
  };
  const pid_t own = ::getpid();
  EXPECT_EQ(waited_on(), "own0 own1 ");
  answer(own, 0, POLLIN);
  answer(own, 0, 0);
  answer(other.id(), 0, POLLHUP);  // It was not asked.
  EXPECT_EQ(waited_on(), "own0 own1 ");
  answer(own, 0, POLLIN | POLLHUP);
  EXPECT_EQ(waited_on(), "other0 own1 ");
  answer(own, 0, POLLHUP);
  EXPECT_EQ(waited_on(), "other0 own1 ");
  answer(own, 1, POLLERR);
  EXPECT_EQ(waited_on(), "other0 other1 ");
  answer(other.id(), 1, POLLHUP);
  EXPECT_EQ(waited_on(), "other0 ");
  answer(other.id(), 1, POLLHUP);
  answer(other.id(), 0, POLLHUP);
  EXPECT_EQ(waited_on(), "");
  answer(other.id(), 0, POLLHUP);
  EXPECT_EQ(waited_on(), "");
}

fault_sample of_address(std::uint64_t address) {
  return {.pid = 7, .thread = 8, .address = address, .fp = 1, .sp = 2, .pc = 3, .stack = {}};
}

std::string text_of(const fault_records& found) {
  std::string text = fmt::format("lost {}:", found.lost);
  for (const fault_sample& each : found.faults) text += fmt::format(" {:#x}", each.address);
  return text;
}

TEST(FaultEvents, EachRingIsReadFromWhereItWasLeft) {
  fake_perf kernel;
  auto events = fault_events::open(::getpid(), machine_x86);
  ASSERT_TRUE(events) << events.error().what;
  fault_records found;
  const auto read = [&] {
    const std::string result = error_text(events->read(found));
    return result + ", " + text_of(found);
  };
  EXPECT_EQ(read(), "fine, lost 0:");
  // One goes on at the start of its ring.
  ring_writer first(fake_perf::ring_bytes, sampled_registers_of[0],
                    10 * fake_perf::ring_bytes - 64);
  first.add(of_address(0x1000), 24);
  first.add_lost(3);
  ring_writer second(fake_perf::ring_bytes);
  second.add(of_address(0x2000), 0);
  second.add(of_address(0x3000), 0);
  const int fds[] = {kernel.fd_of(::getpid(), 0), kernel.fd_of(::getpid(), 1)};
  fake_perf::write_ring(fds[0], first.part());
  fake_perf::write_ring(fds[1], second.part());
  EXPECT_EQ(read(), "fine, lost 3: 0x1000 0x2000 0x3000");
  EXPECT_EQ(fake_perf::control_of(fds[0]).data_tail, first.part().head);
  EXPECT_EQ(fake_perf::control_of(fds[1]).data_tail, second.part().head);
  EXPECT_EQ(fake_perf::control_of(fds[0]).data_head, first.part().head);
  // What was read is not read again.
  EXPECT_EQ(read(), "fine, lost 3: 0x1000 0x2000 0x3000");
  // A ring that makes no sense is an error, and is not read twice; the others wait.
  const std::uint64_t before = first.part().head;
  first.add_record(9, std::vector<std::uint64_t>{1});
  first.add(of_address(0x4000), 0);
  ring_part rest = first.part();
  rest.tail = before;
  fake_perf::write_ring(fds[0], rest);
  const std::uint64_t second_before = second.part().head;
  second.add(of_address(0x5000), 0);
  rest = second.part();
  rest.tail = second_before;
  fake_perf::write_ring(fds[1], rest);
  EXPECT_EQ(read(),
            fmt::format("3 the kernel's ring of page faults is damaged at {}: 16 bytes are no "
                        "record of type 9, lost 3: 0x1000 0x2000 0x3000",
                        before));
  EXPECT_EQ(fake_perf::control_of(fds[0]).data_tail, first.part().head);
  EXPECT_EQ(fake_perf::control_of(fds[1]).data_tail, second_before);
  EXPECT_EQ(read(), "fine, lost 3: 0x1000 0x2000 0x3000 0x5000");
}

}  // namespace
}  // namespace bast_stacks
