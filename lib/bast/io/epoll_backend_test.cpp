// SPDX-License-Identifier: Apache-2.0
#include "bast/io/epoll_backend.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bast/testing/asleep.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/local_pair.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr std::uint64_t no_limit = UINT64_MAX;

/// A watch that counts, and does what the test adds.
struct test_watch : descriptor_watch {
  explicit test_watch(int number, os::readiness direction = os::readiness::readable) {
    fd = number;
    awaited = direction;
    ready = [](descriptor_watch& self) noexcept {
      auto& mine = static_cast<test_watch&>(self);
      EXPECT_FALSE(mine.watched);
      ++mine.reports;
      if (mine.then) mine.then();
    };
  }
  unsigned reports = 0;
  std::function<void()> then;
};

class EpollBackend : public testing::Test, protected test::local_pair {
 protected:
  ~EpollBackend() override {
    all->check_invariants();
    EXPECT_EQ(all->watched(), 0U);
    epoll_backend::destroy(all);
  }
  result<void> watch(test_watch& asked) {
    if (auto reserved = all->reserve(asked.fd); !reserved) return reserved;
    auto watched = all->watch(asked);
    all->check_invariants();
    return watched;
  }
  /// One look.
  std::size_t look() {
    const auto called = all->wait(0);
    all->check_invariants();
    return called.value();
  }

  epoll_backend* all = epoll_backend::create().value();
};

TEST_F(EpollBackend, AWatchIsReportedOnceAndMayWatchAgain) {
  test_watch reads(mine.get());
  ASSERT_TRUE(watch(reads));
  EXPECT_EQ(look(), 0U);
  send(peer.get());
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(reads.reports, 1U);
  EXPECT_EQ(look(), 0U) << "it is still readable, but watched no more";
  ASSERT_TRUE(watch(reads));
  EXPECT_EQ(look(), 1U) << "ready already";
  reads.then = [&] { ASSERT_TRUE(watch(reads)); };
  ASSERT_TRUE(watch(reads));
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(look(), 1U);
  all->unwatch(reads);
  EXPECT_EQ(look(), 0U);
  all->unwatch(reads);
}

TEST_F(EpollBackend, IO4_BothDirectionsAreWatchedAtOnceAndEachOnlyOnce) {
  test_watch reads(mine.get());
  test_watch writes(mine.get(), os::readiness::writable);
  test_watch second(mine.get());
  ASSERT_TRUE(watch(reads));
  EXPECT_EQ(watch(second).error(), errc::busy);
  ASSERT_TRUE(watch(writes));
  EXPECT_EQ(all->watched(), 2U);
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(writes.reports, 1U);
  // The reader is watched as before, though the kernel's request has ended with the writer.
  EXPECT_EQ(watch(second).error(), errc::busy);
  EXPECT_EQ(look(), 0U);
  send(peer.get());
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(reads.reports, 1U);
  ASSERT_TRUE(watch(reads));
  ASSERT_TRUE(watch(writes));
  EXPECT_EQ(look(), 2U) << "one event for both";
  ASSERT_TRUE(watch(second));
  all->unwatch(second);
}

TEST_F(EpollBackend, WhatIsUnwatchedLeavesTheOtherDirection) {
  test_watch reads(mine.get());
  test_watch writes(mine.get(), os::readiness::writable);
  ASSERT_TRUE(watch(reads));
  ASSERT_TRUE(watch(writes));
  all->unwatch(writes);
  EXPECT_EQ(look(), 0U);
  send(peer.get());
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(reads.reports, 1U);
}

TEST_F(EpollBackend, AHangUpEndsBoth) {
  std::vector<char> much(1 << 20);
  while (::write(mine.get(), much.data(), much.size()) > 0) {
  }
  test_watch reads(mine.get());
  test_watch writes(mine.get(), os::readiness::writable);
  ASSERT_TRUE(watch(reads));
  ASSERT_TRUE(watch(writes));
  EXPECT_EQ(look(), 0U);
  peer.reset();
  EXPECT_EQ(look(), 2U);
}

TEST_F(EpollBackend, I2_AReportMayEndTheOtherDirectionOfTheSameEvent) {
  test_watch reads(mine.get());
  auto writes = std::make_unique<test_watch>(mine.get(), os::readiness::writable);
  send(peer.get());
  reads.then = [&] {
    all->unwatch(*writes);
    writes.reset();
  };
  ASSERT_TRUE(watch(reads));
  ASSERT_TRUE(watch(*writes));
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(look(), 0U);
}

// The first of two events of one wait ends the watch of the second, and its descriptor, whose
// number the next one gets.
TEST_F(EpollBackend, IO4_AnEventOfAnEarlierDescriptorEndsNoLaterWatch) {
  os::pipe_ends old = os::make_pipe().value();
  os::pipe_ends fresh = os::make_pipe().value();
  const int number = old.read_end.get();
  test_watch first(mine.get());
  auto second = std::make_unique<test_watch>(number);
  test_watch later(number);
  first.then = [&] {
    all->unwatch(*second);
    second.reset();
    ASSERT_EQ(::dup2(fresh.read_end.get(), number), number);
    ASSERT_TRUE(watch(later));
  };
  ASSERT_TRUE(watch(first));
  ASSERT_TRUE(watch(*second));
  send(peer.get());
  send(old.write_end.get());
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(first.reports, 1U);
  EXPECT_EQ(later.reports, 0U);
  send(fresh.write_end.get());
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(later.reports, 1U);
}

TEST_F(EpollBackend, ADescriptorThatWasClosedMeanwhileIsUnwatchedAndItsNumberIsFree) {
  os::pipe_ends ends = os::make_pipe().value();
  const int number = ends.read_end.get();
  test_watch lost(number);
  ASSERT_TRUE(watch(lost));
  ends.read_end.reset();
  EXPECT_EQ(look(), 0U);
  all->unwatch(lost);
  EXPECT_EQ(all->watched(), 0U);
  EXPECT_EQ(watch(lost).error().error_number(), EBADF);
  os::pipe_ends other = os::make_pipe().value();
  test_watch reads(other.read_end.get());
  ASSERT_TRUE(watch(reads));
  send(other.write_end.get());
  EXPECT_EQ(look(), 1U);
}

TEST_F(EpollBackend, ManyDescriptorsTakeSeveralTurns) {
  constexpr std::size_t count = 150;
  std::vector<os::descriptor> events;
  std::vector<std::unique_ptr<test_watch>> watches;
  for (std::size_t i = 0; i < count; ++i) {
    events.push_back(os::make_event().value());
    ASSERT_TRUE(os::set_event(events.back().get()));
    watches.push_back(std::make_unique<test_watch>(events.back().get()));
    ASSERT_TRUE(watch(*watches.back()));
  }
  std::size_t reported = 0;
  for (int turns = 0; turns < 5; ++turns) reported += look();
  EXPECT_EQ(reported, count);
  for (const auto& each : watches) EXPECT_EQ(each->reports, 1U);
}

TEST_F(EpollBackend, ATimeIsNotEarlyAndAPastOneIsALook) {
  for (const std::uint64_t ahead : {0U, 1U, 50'000U, 999'999U, 1'000'001U}) {
    const std::uint64_t until = all->now_ns() + ahead;
    EXPECT_EQ(all->wait(until), 0U);
    EXPECT_GE(all->now_ns(), until);
  }
}

// --- wakes ---------------------------------------------------------------------------------------

TEST_F(EpollBackend, IO9_AWakeBeforeAWaitEndsItAndSeveralAreOneSystemCall) {
  for (int round = 0; round < 3; ++round) {
    {
      const os::fault_scope calls({.kind = os::call::write});
      for (int i = 0; i < 4; ++i) all->wake();
      ASSERT_EQ(calls.seen(), 1U);
    }
    EXPECT_EQ(all->wait(no_limit), 0U);
    EXPECT_EQ(all->wait(all->now_ns()), 0U);
  }
}

TEST_F(EpollBackend, IO9_AWakeEndsAWaitThatSleeps) {
  std::atomic<std::uint32_t> sleeper{0};
  std::atomic<int> rounds{0};
  epoll_backend* sleeps = nullptr;
  {
    const test::joined_thread worker([&] {
      sleeps = epoll_backend::create().value();
      sleeper = os::thread_id();
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(sleeps->wait(no_limit), 0U);
        ++rounds;
      }
    });
    while (sleeper == 0) ::sched_yield();
    for (int i = 0; i < 3; ++i) {
      while (rounds != i) ::sched_yield();
      test::wait_until_asleep(sleeper);
      sleeps->wake();
    }
  }
  epoll_backend::destroy(sleeps);
}

// What was done before a wake is seen after the wait, also if another wake has set the event.
TEST_F(EpollBackend, IO9_NoWakeOfManyThreadsIsLost) {
  constexpr int threads = 3;
  constexpr int rounds = 3000;
  std::atomic<int> pushed{0};  // An inbox.
  int seen = 0;
  {
    std::vector<test::joined_thread> wakers;
    for (int t = 0; t < threads; ++t) {
      wakers.emplace_back([&] {
        for (int i = 0; i < rounds; ++i) {
          pushed.fetch_add(1, std::memory_order_relaxed);
          all->wake();
        }
      });
    }
    while (seen != threads * rounds) {
      EXPECT_EQ(all->wait(no_limit), 0U);
      seen += pushed.exchange(0, std::memory_order_relaxed);
    }
  }
}

// --- failures ------------------------------------------------------------------------------------

TEST_F(EpollBackend, EachFailureOfItsCreationIsReported) {
  const auto refused = [](os::call kind, std::uint64_t nth, int error_number) {
    const os::fault_scope fault({.kind = kind, .nth = nth, .error_number = error_number});
    const auto made = epoll_backend::create();
    EXPECT_EQ(fault.injected(), 1U);
    return made.error().kind();
  };
  EXPECT_EQ(refused(os::call::epoll, 1, EMFILE), errc::limit);
  EXPECT_EQ(refused(os::call::event, 1, ENFILE), errc::limit);
  EXPECT_EQ(refused(os::call::epoll, 2, ENOSPC), errc::limit);
  EXPECT_EQ(refused(os::call::allocate, 1, ENOMEM), errc::no_memory);
}

TEST_F(EpollBackend, AWatchThatIsRefusedChangesNothing) {
  EXPECT_EQ(all->reserve(-1).error(), errc::invalid);
  {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = 1});
    EXPECT_EQ(all->reserve(5000).error(), errc::no_memory);
  }
  test_watch reads(mine.get());
  EXPECT_EQ(all->watch(reads).error(), errc::bad_state) << "not reserved";
  test_watch writes(mine.get(), os::readiness::writable);
  ASSERT_TRUE(watch(reads));
  for (const int error_number : {ENOMEM, ENOSPC, EPERM, EBADF}) {
    const os::fault_scope fault({.kind = os::call::epoll, .nth = 1, .error_number = error_number});
    EXPECT_EQ(all->watch(writes).error().error_number(), error_number);
    EXPECT_FALSE(writes.watched);
  }
  EXPECT_EQ(all->watched(), 1U);
  EXPECT_EQ(look(), 0U);
  send(peer.get());
  EXPECT_EQ(look(), 1U) << "the reader's request is as before";
}

TEST_F(EpollBackend, AFileIsNotWatched) {
  const os::descriptor file = os::open_file("/dev/null", O_RDONLY).value();
  test_watch reads(file.get());
  EXPECT_EQ(watch(reads).error().error_number(), EPERM);
  EXPECT_EQ(all->watched(), 0U);
}

TEST_F(EpollBackend, WhatTheKernelWatchesNoMoreIsReported) {
  test_watch reads(mine.get());
  test_watch writes(mine.get(), os::readiness::writable);
  ASSERT_TRUE(watch(reads));
  ASSERT_TRUE(watch(writes));
  {
    // The wait, then the request for the reader alone.
    const os::fault_scope fault({.kind = os::call::epoll, .nth = 2, .error_number = EBADF});
    EXPECT_EQ(look(), 2U);
  }
  EXPECT_EQ(reads.reports, 1U);
}

TEST_F(EpollBackend, AWaitThatFailsLosesNothing) {
  test_watch reads(mine.get());
  ASSERT_TRUE(watch(reads));
  send(peer.get());
  {
    const os::fault_scope fault({.kind = os::call::epoll, .nth = 1, .error_number = EBADF});
    EXPECT_EQ(all->wait(no_limit).error().error_number(), EBADF);
  }
  {
    const os::fault_scope fault({.kind = os::call::epoll, .nth = 1, .error_number = EINTR});
    EXPECT_EQ(all->wait(no_limit), 0U) << "a signal";
  }
  EXPECT_EQ(look(), 1U);
}

TEST_F(EpollBackend, IO15_AForkedChildTouchesNothingOfItsParent) {
  test_watch reads(mine.get());
  ASSERT_TRUE(watch(reads));
  EXPECT_EQ(test::in_child([&] {
              test_watch other(peer.get());
              if (all->watch(other).error() != errc::forked) return 1;
              if (all->wait(no_limit).error() != errc::forked) return 2;
              all->wake();
              all->unwatch(reads);
              epoll_backend::destroy(all);
              return 0;
            }),
            0);
  EXPECT_EQ(look(), 0U) << "the child's wake";
  send(peer.get());
  EXPECT_EQ(look(), 1U);
}

using EpollBackendDeathTest = EpollBackend;

TEST_F(EpollBackendDeathTest, ItDoesNotEndWhileSomethingIsWatched) {
  test_watch reads(mine.get());
  ASSERT_TRUE(watch(reads));
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // A forked child's backend does nothing.
  EXPECT_DEATH(epoll_backend::destroy(all), "waits for a descriptor");
  all->unwatch(reads);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
