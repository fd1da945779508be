// SPDX-License-Identifier: Apache-2.0
#include "bast/os/poller.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "bast/os/fault_injection.hpp"
#include "bast/os/pipe.hpp"
#include "bast/os/process.hpp"
#include "bast/testing/asleep.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

constexpr std::int64_t never = INT64_MAX;
constexpr std::int64_t long_ago = 0;

/// The counter of an eventfd, or -1 if it is 0. Reading resets it.
std::int64_t count_of(int event) {
  std::int64_t count = -1;
  return ::read(event, &count, sizeof count) == sizeof count ? count : -1;
}

/// The events that are ready at once, one per line: "data: mask".
std::string told_at_once(int poller, std::size_t most = 8) {
  epoll_event events[8]{};
  const auto count = wait_events(poller, std::span(events, most), long_ago);
  if (!count) return count.error().message();
  std::string lines;
  for (std::size_t i = 0; i < *count; ++i) {
    const std::uint32_t mask = events[i].events;
    lines += std::to_string(events[i].data.u64) + ':';
    if ((mask & EPOLLIN) != 0) lines += " in";
    if ((mask & EPOLLHUP) != 0) lines += " hup";
    if ((mask & EPOLLOUT) != 0) lines += " out";
    if ((mask & ~(EPOLLIN | EPOLLOUT | EPOLLHUP)) != 0) lines += " and more";
    lines += '\n';
  }
  return lines;
}

TEST(PollerEvent, P6_StartsUnsetDoesNotBlockAndIsClosedOnExec) {
  const descriptor event = make_event().value();
  EXPECT_TRUE(::fcntl(event.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(event.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_EQ(count_of(event.get()), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(PollerEvent, EachSetCountsOne) {
  const descriptor event = make_event().value();
  ASSERT_TRUE(set_event(event.get()));
  EXPECT_EQ(count_of(event.get()), 1);
  ASSERT_TRUE(set_event(event.get()));
  ASSERT_TRUE(set_event(event.get()));
  EXPECT_EQ(count_of(event.get()), 2);
}

TEST(PollerEvent, OneThatCountsAsHighAsItCanIsSetAlready) {
  const descriptor event = make_event().value();
  const std::uint64_t most = UINT64_MAX - 1;
  ASSERT_EQ(::write(event.get(), &most, sizeof most), 8);
  ASSERT_TRUE(set_event(event.get()));
  EXPECT_EQ(static_cast<std::uint64_t>(count_of(event.get())), most) << "and as it was";
}

TEST(Poller, P6_IsClosedOnExec) {
  const descriptor poller = make_poller().value();
  EXPECT_TRUE(::fcntl(poller.get(), F_GETFD) & FD_CLOEXEC);
}

TEST(Poller, TellsOnceWithAllBitsOfTheData) {
  const descriptor poller = make_poller().value();
  const descriptor event = make_event().value();
  constexpr std::uint64_t data = 0xfedc'ba98'7654'3210;
  ASSERT_TRUE(watch_once(poller.get(), event.get(), data));
  EXPECT_EQ(told_at_once(poller.get()), "") << "not readable";
  ASSERT_TRUE(set_event(event.get()));
  EXPECT_EQ(told_at_once(poller.get()), std::to_string(data) + ": in\n");
  EXPECT_EQ(told_at_once(poller.get()), "") << "reported once";
  // Requested again, with other data, while it is still readable; and a third time.
  for (const std::uint64_t later : {UINT64_MAX, std::uint64_t{7}}) {
    ASSERT_TRUE(watch_once(poller.get(), event.get(), later));
    EXPECT_EQ(told_at_once(poller.get()), std::to_string(later) + ": in\n");
    EXPECT_EQ(told_at_once(poller.get()), "");
  }
}

TEST(Poller, WatchingAgainReplacesWhatWasAsked) {
  const descriptor poller = make_poller().value();
  const descriptor event = make_event().value();
  ASSERT_TRUE(watch_once(poller.get(), event.get(), 1));
  ASSERT_TRUE(watch_once(poller.get(), event.get(), 2));
  ASSERT_TRUE(set_event(event.get()));
  EXPECT_EQ(told_at_once(poller.get()), "2: in\n");
}

TEST(Poller, TellsThatTheOtherSideHungUp) {
  const descriptor poller = make_poller().value();
  pipe_ends ends = make_pipe().value();
  ASSERT_TRUE(watch_once(poller.get(), ends.read_end.get(), 5));
  EXPECT_EQ(told_at_once(poller.get()), "");
  ends.write_end.reset();
  EXPECT_EQ(told_at_once(poller.get()), "5: hup\n");
}

TEST(Poller, TellsThatAPipeCanBeWrittenToAndThatItsReaderIsGone) {
  const descriptor poller = make_poller().value();
  pipe_ends ends = make_pipe().value();
  ASSERT_TRUE(set_nonblocking(ends.write_end.get()));
  const auto watch = [&](std::uint64_t data) {
    return watch_once(poller.get(), ends.write_end.get(), data, readiness::writable);
  };
  ASSERT_TRUE(watch(1));
  EXPECT_EQ(told_at_once(poller.get()), "1: out\n");
  EXPECT_EQ(told_at_once(poller.get()), "") << "once";
  const std::vector<std::byte> page(4096);
  while (write_some(ends.write_end.get(), page)) {
  }
  ASSERT_TRUE(watch(2));
  EXPECT_EQ(told_at_once(poller.get()), "") << "it is full";
  std::vector<std::byte> some(page.size());
  ASSERT_EQ(read_some(ends.read_end.get(), some), some.size());
  EXPECT_EQ(told_at_once(poller.get()), "2: out\n");
  ASSERT_TRUE(watch(3));
  ends.read_end.reset();
  EXPECT_EQ(told_at_once(poller.get()).substr(0, 3), "3: ") << "its reader is gone";
}

TEST(Poller, BothDirectionsOfADescriptorAreOneRequest) {
  const descriptor poller = make_poller().value();
  const descriptor event = make_event().value();
  ASSERT_TRUE(watch_once(poller.get(), event.get(), 1, readiness::either));
  EXPECT_EQ(told_at_once(poller.get()), "1: out\n");
  EXPECT_EQ(told_at_once(poller.get()), "") << "reported once, whatever is left";
  ASSERT_TRUE(set_event(event.get()));
  ASSERT_TRUE(watch_once(poller.get(), event.get(), 2, readiness::either));
  EXPECT_EQ(told_at_once(poller.get()), "2: in out\n");
}

TEST(Poller, EachEdgeIsReportedWithoutAReadBetween) {
  const descriptor poller = make_poller().value();
  const descriptor event = make_event().value();
  ASSERT_TRUE(watch_edges(poller.get(), event.get(), 4));
  EXPECT_EQ(told_at_once(poller.get()), "");
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(set_event(event.get()));
    ASSERT_TRUE(set_event(event.get()));
    EXPECT_EQ(told_at_once(poller.get()), "4: in\n") << round;
    EXPECT_EQ(told_at_once(poller.get()), "") << round;
  }
  EXPECT_EQ(watch_edges(poller.get(), event.get(), 4).error().error_number(), EEXIST);
  unwatch(poller.get(), event.get());
  ASSERT_TRUE(set_event(event.get()));
  EXPECT_EQ(told_at_once(poller.get()), "");
}

TEST(Poller, ALookDoesNotWait) {
  const descriptor event = make_event().value();
  const descriptor file = open_file("/dev/null", O_RDONLY).value();
  EXPECT_EQ(is_ready(event.get(), readiness::readable), false);
  EXPECT_EQ(is_ready(event.get(), readiness::writable), true);
  EXPECT_EQ(is_ready(event.get(), readiness::either), true);
  EXPECT_EQ(is_ready(file.get(), readiness::readable), true);
  ASSERT_TRUE(set_event(event.get()));
  EXPECT_EQ(is_ready(event.get(), readiness::readable), true);
  pipe_ends ends = make_pipe().value();
  EXPECT_EQ(is_ready(ends.read_end.get(), readiness::readable), false);
  ends.write_end.reset();
  EXPECT_EQ(is_ready(ends.read_end.get(), readiness::readable), true) << "hung up";
}

TEST(Poller, UnwatchedItTellsNothingAndCanBeWatchedAgain) {
  const descriptor poller = make_poller().value();
  const descriptor event = make_event().value();
  ASSERT_TRUE(set_event(event.get()));
  ASSERT_TRUE(watch_once(poller.get(), event.get(), 1));
  unwatch(poller.get(), event.get());
  EXPECT_EQ(told_at_once(poller.get()), "");
  unwatch(poller.get(), event.get());
  unwatch(poller.get(), -1);  // Neither has an effect.
  ASSERT_TRUE(watch_once(poller.get(), event.get(), 2));
  EXPECT_EQ(told_at_once(poller.get()), "2: in\n");
}

TEST(Poller, TellsNoMoreThanThereIsSpaceForAndTheRestNext) {
  const descriptor poller = make_poller().value();
  descriptor events[3];
  for (std::size_t i = 0; i < 3; ++i) {
    events[i] = make_event().value();
    ASSERT_TRUE(set_event(events[i].get()));
    ASSERT_TRUE(watch_once(poller.get(), events[i].get(), i));
  }
  EXPECT_EQ(told_at_once(poller.get(), 2), "0: in\n1: in\n");
  EXPECT_EQ(told_at_once(poller.get(), 2), "2: in\n");
  EXPECT_EQ(told_at_once(poller.get(), 2), "");
}

TEST(Poller, ADeadlineIsNeverEarly) {
  const descriptor poller = make_poller().value();
  epoll_event event{};
  // The last nanosecond of a millisecond, and the first of the next.
  for (const std::int64_t ahead : {1, 999'999, 1'000'000, 1'000'001, 1'999'999}) {
    for (int round = 0; round < 5; ++round) {
      const std::int64_t deadline = monotonic_ns() + ahead;
      EXPECT_EQ(wait_events(poller.get(), {&event, 1}, deadline), 0U);
      EXPECT_GE(monotonic_ns(), deadline) << ahead;
    }
  }
}

TEST(Poller, AnInstantOfThePastReturnsAtOnce) {
  const descriptor poller = make_poller().value();
  epoll_event event{};
  for (const std::int64_t past : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, monotonic_ns()}) {
    EXPECT_EQ(wait_events(poller.get(), {&event, 1}, past), 0U) << past;
  }
}

/// Waits on another thread. When that sleeps, sets the event and checks the reported events.
void expect_wait_ends_by_event_only(std::int64_t deadline_ns) {
  const descriptor poller = make_poller().value();
  const descriptor event = make_event().value();
  ASSERT_TRUE(watch_once(poller.get(), event.get(), 9));
  std::atomic<std::uint32_t> id{0};
  epoll_event told{};
  std::size_t count = 0;
  std::thread waiter([&] {
    id.store(thread_id());
    count = wait_events(poller.get(), {&told, 1}, deadline_ns).value_or(99);
  });
  while (id.load() == 0) ::sched_yield();
  test::wait_until_asleep(id.load());
  EXPECT_TRUE(set_event(event.get()));
  waiter.join();
  EXPECT_EQ(count, 1U);
  EXPECT_EQ(std::uint64_t{told.data.u64}, 9U);
}

TEST(Poller, WithoutADeadlineItWaitsForTheEvent) { expect_wait_ends_by_event_only(never); }

TEST(Poller, MoreMillisecondsThanAnIntHoldsIsALongWait) {
  expect_wait_ends_by_event_only(never - 1);
  // Cut to 32 bits, the number of milliseconds would be 0.
  expect_wait_ends_by_event_only(monotonic_ns() + (std::int64_t{1} << 32) * 1'000'000);
}

TEST(PollerFailure, AnInterruptedWaitHasNoEvents) {
  const descriptor poller = make_poller().value();
  const fault_scope fault({.kind = call::epoll, .nth = 1, .error_number = EINTR});
  epoll_event event{};
  EXPECT_EQ(wait_events(poller.get(), {&event, 1}, never), 0U);
  EXPECT_EQ(fault.seen(), 1U);
}

// Kernels before 5.11 have no epoll_pwait2.
TEST(PollerFailure, WithoutNanosecondsADeadlineIsNotEarlyEither) {
  const descriptor poller = make_poller().value();
  epoll_event event{};
  for (const int error_number : {ENOSYS, EPERM}) {
    for (const std::int64_t ahead : {-1, 1, 999'999, 1'000'001}) {
      const fault_scope fault({.kind = call::epoll, .nth = 1, .error_number = error_number});
      const std::int64_t deadline = monotonic_ns() + ahead;
      const auto count = wait_events(poller.get(), {&event, 1}, deadline);
      // A build for a sanitizer makes the other call at once.
      EXPECT_EQ(count.has_value(), fault.seen() == 2);
      EXPECT_TRUE(!count || monotonic_ns() >= deadline) << ahead;
    }
  }
}

TEST(PollerFailure, ALookIsRepeatedAfterASignalAndRefusesWhatIsNotOpen) {
  const descriptor event = make_event().value();
  {
    const fault_scope fault({.kind = call::poll, .nth = 1, .error_number = EINTR});
    EXPECT_EQ(is_ready(event.get(), readiness::writable), true);
    EXPECT_EQ(fault.seen(), 2U);
  }
  {
    const fault_scope fault({.kind = call::poll, .nth = 1, .error_number = ENOMEM});
    EXPECT_EQ(is_ready(event.get(), readiness::writable).error(), errc::no_memory);
  }
  for (const int closed : {-1, 1 << 20}) {
    EXPECT_EQ(is_ready(closed, readiness::readable).error().error_number(), EBADF);
  }
}

TEST(PollerFailure, EachErrorIsWhole) {
  const descriptor poller = make_poller().value();
  const descriptor file = open_file("/dev/null", O_RDONLY).value();
  const descriptor event = make_event().value();
  const std::string end = " (-1) [errno 9]";
  EXPECT_EQ(set_event(-1).error().message(), "os.set_event: system error: write refused" + end);
  epoll_event space{};
  EXPECT_EQ(wait_events(-1, {&space, 1}, 0).error().message(),
            "os.wait_events: system error: epoll_wait refused" + end);
  EXPECT_EQ(watch_once(poller.get(), -1, 0).error().message(),
            "os.watch_once: system error: epoll_ctl refused the descriptor" + end);
  EXPECT_EQ(watch_once(poller.get(), file.get(), 0).error().error_number(), EPERM);

  const auto refused = [](call kind, int error_number, auto make) {
    const fault_scope fault({.kind = kind, .nth = 1, .error_number = error_number});
    return make().error().message();
  };
  EXPECT_EQ(refused(call::event, EMFILE, make_event),
            "os.make_event: limit reached: eventfd refused [errno 24]");
  EXPECT_EQ(refused(call::epoll, EMFILE, make_poller),
            "os.make_poller: limit reached: epoll_create1 refused [errno 24]");
  EXPECT_EQ(
      refused(call::write, EIO, [&] { return set_event(event.get()); }),
      "os.set_event: system error: write refused (" + std::to_string(event.get()) + ") [errno 5]");
}

TEST(PollerFailure, OnlyAnUnknownDescriptorIsAddedAndARefusedOneIsNot) {
  const descriptor poller = make_poller().value();
  const descriptor event = make_event().value();
  ASSERT_TRUE(set_event(event.get()));
  for (const int error_number : {ENOMEM, EPERM, EBADF}) {
    const fault_scope fault({.kind = call::epoll, .nth = 1, .error_number = error_number});
    EXPECT_EQ(watch_once(poller.get(), event.get(), 1).error().error_number(), error_number);
    EXPECT_EQ(fault.seen(), 1U) << "modification was refused, so adding is not tried";
  }
  {
    const fault_scope fault({.kind = call::epoll, .nth = 2, .error_number = ENOSPC});
    EXPECT_EQ(watch_once(poller.get(), event.get(), 1).error(), errc::limit);
    EXPECT_EQ(fault.injected(), 1U) << "unknown, so it had to be added";
  }
  EXPECT_EQ(told_at_once(poller.get()), "") << "nothing is watched";
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
