// SPDX-License-Identifier: Apache-2.0
//
// The rings of page faults, on a scripted kernel: their sizes, the wake-ups, and the reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bast/config.hpp>

#include "model/test_record_text.hpp"
#include "read/fault_events.hpp"
#include "read/testing/fake_perf.hpp"
#include "read/testing/ring_writer.hpp"
#include "read/testing/waiting_thread.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::answered_call;
using testing::called;
using testing::cannot_watch;
using testing::fake_perf;
using testing::ring_writer;
using testing::waiting_thread;

constexpr std::uint16_t machine_of_rings = 62;  // x86-64

TEST(FaultRings, ARingIsAsLargeAsTheKernelAllows) {
  if (BAST_WITH_ASAN) GTEST_SKIP() << "the sanitizer's mmap is not ours";
  const auto with = [](std::size_t pages_most, int error) {
    std::vector<std::size_t> tried;
    const answered_call maps(called::mmap, [&](const auto& given) -> std::optional<long> {
      if (given[4] < 0) return std::nullopt;  // from the allocator
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
    const auto events = fault_events::open(::getpid(), machine_of_rings);
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

TEST(FaultRings, ARingThatTakesNoOtherEventIsAnError) {
  const waiting_thread other;
  fake_perf kernel;
  kernel.output_error = EIO;
  EXPECT_EQ(error_text(fault_events::open(::getpid(), machine_of_rings)),
            cannot_watch("PERF_EVENT_IOC_SET_OUTPUT: Input/output error"));
  EXPECT_EQ(kernel.said.size(), 4U);
}

TEST(FaultRings, OneEventOfEachRingWakesUsUntilAllOfItsThreadsEnded) {
  const waiting_thread other;
  fake_perf kernel;
  auto events = fault_events::open(::getpid(), machine_of_rings);
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
  answer(other.id(), 0, POLLHUP);  // It was not polled.
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

TEST(FaultRings, EachRingIsReadFromWhereItWasLeft) {
  fake_perf kernel;
  auto events = fault_events::open(::getpid(), machine_of_rings);
  ASSERT_TRUE(events) << events.error().what;
  fault_records found;
  const auto read = [&] {
    const std::string result = error_text(events->read(found));
    return result + ", " + text_of(found);
  };
  EXPECT_EQ(read(), "fine, lost 0:");
  // One continues at the start of its ring.
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
  // Records are read once.
  EXPECT_EQ(read(), "fine, lost 3: 0x1000 0x2000 0x3000");
  // An inconsistent ring is an error, and is not read twice; the others keep their records.
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
