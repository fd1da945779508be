// SPDX-License-Identifier: Apache-2.0
#include "bast/os/fault_injection.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace bast::inline BAST_ABI::os {
namespace {

/// A stand-in for a system call: returns 7 and counts its calls.
struct stand_in {
  int made = 0;
  int operator()(call kind) {
    return internal::system_call(kind, -1, [this] {
      ++made;
      return 7;
    });
  }
};

TEST(FaultInjection, UnarmedItLetsEverythingThrough) {
  stand_in kernel;
  for (int kind = 0; kind < call_kinds; ++kind) EXPECT_EQ(kernel(static_cast<call>(kind)), 7);
  EXPECT_EQ(kernel.made, call_kinds);
}

TEST(FaultInjection, AScopeWithoutAPlanOnlyCounts) {
  stand_in kernel;
  const fault_scope scope;
  EXPECT_EQ(kernel(call::map), 7);
  EXPECT_EQ(kernel(call::unmap), 7);
  EXPECT_EQ(scope.seen(), 2U);
  EXPECT_EQ(scope.injected(), 0U);
  EXPECT_EQ(kernel.made, 2);
}

TEST(FaultInjection, D12_TheNthCallFailsOnce) {
  for (std::uint64_t nth = 1; nth <= 5; ++nth) {
    stand_in kernel;
    const fault_scope fault({.kind = call::protect, .nth = nth, .error_number = ENOMEM});
    for (std::uint64_t i = 1; i <= 6; ++i) {
      errno = 0;
      EXPECT_EQ(kernel(call::protect), i == nth ? -1 : 7);
      EXPECT_EQ(errno, i == nth ? ENOMEM : 0);
    }
    EXPECT_EQ(fault.seen(), 6U);
    EXPECT_EQ(fault.injected(), 1U);
    EXPECT_EQ(kernel.made, 5) << "a failed call is not made";
  }
}

TEST(FaultInjection, D12_APersistentFaultFailsFromTheNthCallOn) {
  stand_in kernel;
  const fault_scope fault({.kind = call::map, .nth = 3, .persistent = true});
  for (int i = 1; i <= 6; ++i) EXPECT_EQ(kernel(call::map), i < 3 ? 7 : -1);
  EXPECT_EQ(fault.injected(), 4U);
  EXPECT_EQ(kernel.made, 2);
}

TEST(FaultInjection, D12_TheErrnoIsThePlans) {
  for (const int error_number : {EINVAL, EAGAIN, EPERM, 1, 133}) {
    stand_in kernel;
    const fault_scope fault({.kind = call::advise, .nth = 1, .error_number = error_number});
    EXPECT_EQ(kernel(call::advise), -1);
    EXPECT_EQ(errno, error_number);
  }
}

TEST(FaultInjection, APlanForOneKindNeitherCountsNorFailsAnother) {
  for (int planned = 0; planned < call_kinds; ++planned) {
    stand_in kernel;
    const fault_scope fault({.kind = static_cast<call>(planned), .nth = 1, .persistent = true});
    for (int made = 0; made < call_kinds; ++made) {
      EXPECT_EQ(kernel(static_cast<call>(made)), made == planned ? -1 : 7)
          << name_of(static_cast<call>(made));
    }
    EXPECT_EQ(fault.seen(), 1U);
    EXPECT_EQ(fault.injected(), 1U);
  }
}

TEST(FaultInjection, AnyCountsCallsOfEveryKind) {
  stand_in kernel;
  const fault_scope fault({.kind = call::any, .nth = 4});
  for (int kind = 0; kind < call_kinds; ++kind) {
    EXPECT_EQ(kernel(static_cast<call>(kind)), kind + 1 == 4 ? -1 : 7);
  }
  EXPECT_EQ(fault.seen(), static_cast<std::uint64_t>(call_kinds));
}

TEST(FaultInjection, TheEndOfAScopeDisarmsAndTheNextStartsAtZero) {
  stand_in kernel;
  for (int round = 0; round < 3; ++round) {
    {
      const fault_scope fault({.kind = call::map, .nth = 2});
      EXPECT_EQ(kernel(call::map), 7);
      EXPECT_EQ(kernel(call::map), -1);
      EXPECT_EQ(fault.seen(), 2U);
    }
    EXPECT_EQ(kernel(call::map), 7);
  }
}

TEST(FaultInjection, TwoThreadsAreCountedExactly) {
  constexpr int calls_each = 20'000;
  constexpr std::uint64_t nth = 9'999;
  const fault_scope fault({.kind = call::map, .nth = nth, .persistent = true});
  std::atomic<int> failed{0};
  const auto work = [&] {
    stand_in kernel;
    for (int i = 0; i < calls_each; ++i) failed += kernel(call::map) == -1 ? 1 : 0;
  };
  std::thread other(work);
  work();
  other.join();
  constexpr std::uint64_t total = 2 * calls_each;
  EXPECT_EQ(fault.seen(), total);
  EXPECT_EQ(fault.injected(), total - nth + 1);
  EXPECT_EQ(static_cast<std::uint64_t>(failed.load()), fault.injected());
}

TEST(FaultInjection, OfTwoRacingThreadsExactlyOneGetsTheSingleFault) {
  const fault_scope fault({.kind = call::map, .nth = 5'000});
  std::atomic<int> failed{0};
  const auto work = [&] {
    stand_in kernel;
    for (int i = 0; i < 5'000; ++i) failed += kernel(call::map) == -1 ? 1 : 0;
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(failed.load(), 1);
  EXPECT_EQ(fault.injected(), 1U);
}

TEST(FaultInjection, EveryKindHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int kind = 0; kind <= call_kinds; ++kind) names.insert(name_of(static_cast<call>(kind)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(call_kinds) + 1);
  const std::pair<call, const char*> all[] = {
      {call::map, "mmap"},
      {call::unmap, "munmap"},
      {call::protect, "mprotect"},
      {call::advise, "madvise"},
      {call::guard_install, "madvise(GUARD_INSTALL)"},
      {call::guard_remove, "madvise(GUARD_REMOVE)"},
      {call::residency, "mincore"},
      {call::sigaction, "sigaction"},
      {call::sigaltstack, "sigaltstack"},
      {call::allocate, "malloc"},
      {call::futex_wait, "futex"},
      {call::pipe, "pipe2"},
      {call::memory_file, "memfd_create"},
      {call::event, "eventfd"},
      {call::open, "openat"},
      {call::duplicate, "fcntl(DUPFD)"},
      {call::spawn, "clone"},
      {call::pidfd_open, "pidfd_open"},
      {call::wait, "waitid"},
      {call::signal, "pidfd_send_signal"},
      {call::read, "read"},
      {call::write, "write"},
      {call::epoll, "epoll"},
      {call::poll, "poll"},
      {call::thread, "pthread_create"},
      {call::socket, "socket"},
      {call::any, "any"},
  };
  EXPECT_EQ(std::size(all), names.size());
  for (const auto& [kind, name] : all) EXPECT_STREQ(name_of(kind), name);
}

TEST(FaultInjection, D12_ASecondFaultIsOneMoreAndMayComeFirst) {
  for (const auto& [nth, also] : {std::pair{1, 3}, std::pair{3, 1}, std::pair{2, 2}}) {
    stand_in kernel;
    const fault_scope fault(
        {.nth = static_cast<std::uint64_t>(nth), .also_nth = static_cast<std::uint64_t>(also)});
    for (int i = 1; i <= 4; ++i) {
      EXPECT_EQ(kernel(call::map), i == nth || i == also ? -1 : 7) << nth << also << i;
    }
    EXPECT_EQ(fault.injected(), nth == also ? 1U : 2U);
  }
}

TEST(FaultInjection, APlanThatSaysNothingElseFailsAnyCallOnceWithNoMemory) {
  stand_in kernel;
  const fault_scope fault({.nth = 2});
  EXPECT_EQ(kernel(call::read), 7);
  EXPECT_EQ(kernel(call::socket), -1);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(kernel(call::map), 7);
  EXPECT_EQ(fault.injected(), 1U);
}

TEST(FaultInjection, WithoutAFirstFaultThereIsNoSecond) {
  stand_in kernel;
  const fault_scope fault({.also_nth = 1, .persistent = true});
  EXPECT_EQ(kernel(call::map), 7);
  EXPECT_EQ(fault.seen(), 1U);
  EXPECT_EQ(fault.injected(), 0U);
}

TEST(DoorDeathTest, X5_TwoScopesAtOnceAreAViolation) {
  const fault_scope first;
  EXPECT_DEATH(fault_scope{}, "only one fault_scope may be alive at a time");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
