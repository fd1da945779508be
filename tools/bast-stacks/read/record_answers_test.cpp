// SPDX-License-Identifier: Apache-2.0
//
// When a recording looks, and what ends it, on a stopped clock; and its page faults, on a scripted
// kernel.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include "model/test_record_text.hpp"
#include "read/record.hpp"
#include "read/testing/fake_perf.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/fake_time.hpp"
#include "read/testing/open_descriptors.hpp"
#include "read/testing/reading.hpp"
#include "read/testing/ring_writer.hpp"

namespace bast_stacks {
namespace {

using std::chrono::milliseconds;
using test::error_text;
using testing::answered_call;
using testing::called;
using ::testing::Contains;
using testing::fake_perf;
using testing::fake_registry;
using testing::fake_time;
using testing::find_site;
using ::testing::HasSubstr;
using testing::ring_writer;

/// Waits that return at once, after their full virtual time.
struct fake_waits {
  fake_time time;
  std::vector<std::string> waits;  // in milliseconds
  /// Called in each wait; a result other than 0 ends it at once.
  std::function<long(std::size_t wait, std::span<pollfd> all)> in_wait;

  answered_call ppoll{called::ppoll, [this](const auto& given) -> std::optional<long> {
                        const auto& limit = *reinterpret_cast<const timespec*>(given[2]);
                        const long left = limit.tv_sec * 1'000'000'000 + limit.tv_nsec;
                        waits.push_back(fmt::format("{}", static_cast<double>(left) / 1e6));
                        const std::span all(reinterpret_cast<pollfd*>(given[0]),
                                            static_cast<std::size_t>(given[1]));
                        const long said = in_wait ? in_wait(waits.size(), all) : 0;
                        if (said == 0) time.now_ns += left;
                        return said;
                      }};
  std::string text() const { return fmt::format("{}", fmt::join(waits, " ")); }
};

std::string waits_of(const record_options& options) {
  fake_waits kernel;
  record_options own = options;
  own.pid = ::getpid();
  EXPECT_EQ(error_text(record(own)), "fine");
  return kernel.text();
}

TEST(RecordAnswers, ItWaitsFromLookToLookUntilItsEnd) {
  fake_registry fake;
  EXPECT_EQ(waits_of({.duration = milliseconds(20), .every = milliseconds(5)}), "5 5 5 5");
  EXPECT_EQ(waits_of({.duration = milliseconds(12), .every = milliseconds(5)}), "5 5 2");
  EXPECT_EQ(waits_of({.duration = milliseconds(0), .every = milliseconds(5)}), "0");
  EXPECT_EQ(waits_of({.duration = milliseconds(2'500), .every = milliseconds(2'250)}), "2250 250");
  EXPECT_EQ(waits_of({.duration = std::chrono::nanoseconds(999'999'999)}), "999.999999");
  EXPECT_EQ(waits_of({.duration = milliseconds(5)}), "5");
  // No wait is longer than a year.
  EXPECT_EQ(waits_of({.every = std::chrono::nanoseconds::max()}), "31556952000");
  EXPECT_EQ(error_text(record({.pid = ::getpid(), .every = {}})),
            "2 the interval must be positive");
  EXPECT_EQ(error_text(record({.pid = ::getpid(), .every = milliseconds(-1)})),
            "2 the interval must be positive");
}

TEST(RecordAnswers, EachLookIsOneOfTheWholeProcess) {
  fake_registry fake;
  fake_waits kernel;
  fake.site(1).max = 100;
  kernel.in_wait = [&](std::size_t wait, auto) {
    fake.site(1).max = wait == 2 ? 9000 : 200;
    fake.site(1).uses = wait;
    return 0;
  };
  const auto seen =
      record({.pid = ::getpid(), .duration = milliseconds(20), .every = milliseconds(5)});
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(find_site(*seen, "worker")->max, 9000U);
  EXPECT_EQ(find_site(*seen, "worker")->uses, 3U);  // No look at the end.
}

TEST(RecordAnswers, AnInterruptedWaitGoesOnForTheRest) {
  fake_registry fake;
  fake_waits kernel;
  kernel.in_wait = [&](std::size_t wait, auto) -> long {
    if (wait > 2) return 0;
    kernel.time.now_ns += 2'000'000;
    return -EINTR;
  };
  EXPECT_EQ(error_text(
                record({.pid = ::getpid(), .duration = milliseconds(5), .every = milliseconds(9)})),
            "fine");
  EXPECT_EQ(kernel.text(), "5 3 1");
}

TEST(RecordAnswers, ASignalEndsItAndIsTaken) {
  fake_registry fake;
  for (const int number : {SIGINT, SIGTERM}) {
    const long files = testing::open_descriptors();
    fake_waits kernel;
    kernel.in_wait = [&](std::size_t wait, std::span<pollfd> all) -> long {
      EXPECT_EQ(all.size(), 1U);
      EXPECT_EQ(all[0].events, POLLIN);
      if (wait != 3) return 0;
      ::raise(number);
      return ::poll(all.data(), all.size(), 0);
    };
    EXPECT_EQ(error_text(record({.pid = ::getpid(), .every = milliseconds(5)})), "fine");
    EXPECT_EQ(kernel.text(), "5 5 5");
    sigset_t now;
    ::sigpending(&now);
    EXPECT_EQ(::sigismember(&now, number), 0);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    EXPECT_EQ(::sigismember(&now, number), 0) << "as it was before";
    EXPECT_EQ(testing::open_descriptors(), files);
  }
}

TEST(RecordAnswers, TheEndOfTheProcessEndsIt) {
  fake_registry fake;
  fake_waits kernel;
  int asked = 0;
  const answered_call gone(called::kill, [&](const auto&) { return ++asked > 2 ? -ESRCH : 0; });
  const auto seen = record({.pid = ::getpid(), .every = milliseconds(5)});
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(kernel.text(), "5 5");
  EXPECT_EQ(seen->not_seen.back(), fmt::format("What happened after the last look: there is no "
                                               "process {}.",
                                               ::getpid()));
}

/// An address in the code of this program.
std::uint64_t in_code() { return reinterpret_cast<std::uint64_t>(&waits_of); }

/// A first touch `depth` below a stack's top, by a call that left its return address there.
fault_sample deep_touch(fake_registry& fake, std::size_t slot, std::uint64_t depth,
                        std::uint64_t pc) {
  std::byte* const at = fake.top(slot) - depth;
  std::memcpy(at, &pc, sizeof pc);
  fault_sample made{.pid = static_cast<std::uint32_t>(::getpid()),
                    .address = reinterpret_cast<std::uint64_t>(at),
                    .fp = 0x55,
                    .sp = reinterpret_cast<std::uint64_t>(at),
                    .pc = pc,
                    .stack = {}};
  made.stack.assign(at, at + 16);
  return made;
}

TEST(RecordAnswers, FaultsAreLookedAtEveryMillisecond) {
  fake_registry fake;
  fake.use(0, 1, 0);
  fake_perf perf;
  perf.cpus = 1;
  fake_waits kernel;
  ring_writer ring(fake_perf::ring_bytes);
  const std::uint64_t pc = in_code() + 1;
  ring.add(deep_touch(fake, 0, 6000, pc), 16);
  kernel.in_wait = [&](std::size_t wait, std::span<pollfd> all) -> long {
    const int fd = perf.fd_of(::getpid(), 0);
    EXPECT_EQ(all.size(), wait < 3 ? 2U : 1U) << wait;
    if (wait == 1) {
      EXPECT_EQ(all[1].fd, fd);
      fake_perf::write_ring(fd, ring.part());
    }
    if (wait != 2) return 0;
    all[1].revents = POLLHUP;  // Its thread has ended.
    return 1;
  };
  const auto seen = record({.pid = ::getpid(),
                            .duration = milliseconds(3),
                            .every = milliseconds(100),
                            .deepest = true});
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(kernel.text(), "1 1 1 1");
  EXPECT_EQ(test::record_text(find_site(*seen, "worker")->raw),
            fmt::format("depth=6000 sp=6000 pc={0:#x} fp=0x55 top={1:#x} at=0 first=1 omitted=0 "
                        "[{0:#x}@6000]",
                        pc, reinterpret_cast<std::uint64_t>(fake.top(0))));
  EXPECT_THAT(seen->not_seen, Contains(HasSubstr("(1 first touches of a page, 1 of them")));
}

TEST(RecordAnswers, FaultsThatCannotBeWatchedOrReadEndIt) {
  fake_registry fake;
  fake_perf perf;
  perf.cpus = 1;
  fake_waits kernel;
  const record_options how{.pid = ::getpid(), .duration = milliseconds(3), .deepest = true};
  perf.refusal = [](const auto&) { return EIO; };
  EXPECT_EQ(error_text(record(how)),
            fmt::format("3 cannot watch the page faults of process {}: perf_event_open: "
                        "Input/output error",
                        ::getpid()));
  perf.refusal = nullptr;
  kernel.in_wait = [&](std::size_t, auto) {
    ring_writer ring(fake_perf::ring_bytes);
    ring.add_record(9, {});
    fake_perf::write_ring(perf.fd_of(::getpid(), 0), ring.part());
    return 0;
  };
  EXPECT_EQ(error_text(record(how)),
            "3 the kernel's ring of page faults is damaged at 0: 8 bytes are no record of type 9");
  EXPECT_EQ(kernel.text(), "1");
}

}  // namespace
}  // namespace bast_stacks
