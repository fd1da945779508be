// SPDX-License-Identifier: Apache-2.0
//
// Refusals of the kernel: each call is failed in turn. The error must name the call, and the
// address space must be unchanged.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bast/os/fault_injection.hpp"
#include "bast/os/memory.hpp"
#include "bast/testing/expect_mappings.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using bast::test::mappings;

constexpr std::size_t wide_alignment = std::size_t{1} << 20;

TEST(MemoryFailure, ARefusedReservationLeavesNothing) {
  const mappings before = mappings::now();
  const fault_scope fault({.kind = call::map, .nth = 1, .error_number = ENOMEM});
  const auto reserved = reserve(4 * page_bytes(), wide_alignment);
  ASSERT_FALSE(reserved);
  EXPECT_EQ(reserved.error().kind(), errc::no_memory);
  EXPECT_EQ(reserved.error().error_number(), ENOMEM);
  EXPECT_EQ(reserved.error().message(),
            "os.reserve: no memory: mmap refused this many bytes (" +
                std::to_string(4 * page_bytes() + wide_alignment - page_bytes()) + ") [errno 12]");
  EXPECT_EQ(fault.injected(), 1U);
  EXPECT_EQ(mappings::now(), before);
}

TEST(MemoryFailure, X6_AReservationWhoseEndsCannotBeUnmappedSucceedsAndLosesNothing) {
  const std::size_t size = 4 * page_bytes();
  const mappings before = mappings::now();
  std::byte* base = nullptr;
  {
    const fault_scope fault({.kind = call::unmap, .nth = 1, .persistent = true});
    const auto reserved = reserve(size, wide_alignment);
    ASSERT_TRUE(reserved) << "releasing never fails for the caller";
    base = *reserved;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(base) % wide_alignment, 0U);
    EXPECT_GE(fault.injected(), 1U);
    test::expect_grown_by(before, size + wide_alignment - page_bytes());
  }
  EXPECT_EQ(retry_pending_releases(), 0U);
  test::expect_grown_by(before, size);
  release(base, size);
  EXPECT_EQ(mappings::now(), before);
}

TEST(MemoryFailure, X6_ARefusedReleaseGivesTheMemoryBackAndIsRetriedByTheNext) {
  const std::size_t size = 4 * page_bytes();
  const mappings before = mappings::now();
  const auto first = map(size);
  const auto second = map(size);
  ASSERT_TRUE(first && second);
  std::memset(*first, 0x77, size);
  {
    const fault_scope fault({.kind = call::unmap, .nth = 1});
    release(*first, size);
    EXPECT_EQ(fault.injected(), 1U);
    test::expect_grown_by(before, 2 * size);  // The addresses are still in use.
    std::vector<unsigned char> flags(size / page_bytes());
    ASSERT_TRUE(residency(*first, flags));
    for (const unsigned char flag : flags) EXPECT_EQ(flag & 1, 0) << "the memory is not";
    release(*second, size);
    EXPECT_EQ(fault.seen(), 3U) << "refused, retried, the second";
  }
  test::expect_grown_by(before, 0);
  EXPECT_EQ(retry_pending_releases(), 0U);
}

TEST(MemoryFailure, X6_EveryRememberedRegionIsUnmappedInTheEnd) {
  constexpr std::size_t regions = 256;  // what pending_releases can hold
  std::vector<std::byte*> bases(regions);
  const mappings before = mappings::now();
  for (std::byte*& base : bases) base = map(page_bytes()).value();
  {
    const fault_scope fault({.kind = call::unmap, .nth = 1, .persistent = true});
    for (std::byte* const base : bases) release(base, page_bytes());
    EXPECT_EQ(retry_pending_releases(), regions);
    test::expect_grown_by(before, regions * page_bytes());
  }
  {
    // One of the retries fails: that region alone stays pending.
    const fault_scope fault({.kind = call::unmap, .nth = 100});
    EXPECT_EQ(retry_pending_releases(), 1U);
  }
  EXPECT_EQ(retry_pending_releases(), 0U);
  test::expect_grown_by(before, 0);
}

TEST(MemoryFailure, X6_PastTheBoundTheMemoryGoesBackAndOnlyTheAddressesAreLost) {
  constexpr std::size_t bound = 256;
  EXPECT_EQ(test::in_child([] {
              std::byte* bases[bound + 2];
              for (std::byte*& base : bases) {
                base = map(page_bytes()).value();
                *base = std::byte{1};
              }
              {
                const fault_scope fault({.kind = call::unmap, .nth = 1, .persistent = true});
                for (std::byte* const base : bases) release(base, page_bytes());
                if (retry_pending_releases() != bound) return 1;
              }
              if (retry_pending_releases() != 0) return 2;
              unsigned char there = 0;
              for (std::size_t i = 0; i < bound; ++i) {
                if (residency(bases[i], {&there, 1})) return 3;
              }
              for (std::size_t i = bound; i < bound + 2; ++i) {
                if (!residency(bases[i], {&there, 1}) || (there & 1) != 0) return 4;
              }
              return 0;
            }),
            0);
}

TEST(MemoryFailure, X6_AReleaseThatIsRefusedForAnyReasonIsRemembered) {
  for (const int error_number : {ENOMEM, EINVAL, EPERM, EAGAIN}) {
    const mappings before = mappings::now();
    std::byte* const base = map(page_bytes()).value();
    {
      const fault_scope fault({.kind = call::unmap, .nth = 1, .error_number = error_number});
      release(base, page_bytes());
    }
    EXPECT_EQ(retry_pending_releases(), 0U);
    EXPECT_EQ(mappings::now(), before);
  }
}

TEST(MemoryFailure, X6_WhatIsPendingIsUnmappedWithItsOwnSize) {
  // Three regions of different sizes; the middle one is refused once more.
  const mappings before = mappings::now();
  std::byte* bases[3];
  for (std::size_t i = 0; i < 3; ++i) bases[i] = map((i + 1) * page_bytes()).value();
  {
    const fault_scope fault({.kind = call::unmap, .nth = 1, .persistent = true});
    for (std::size_t i = 0; i < 3; ++i) release(bases[i], (i + 1) * page_bytes());
  }
  {
    const fault_scope fault({.kind = call::unmap, .nth = 2});
    EXPECT_EQ(retry_pending_releases(), 1U);
    test::expect_grown_by(before, 2 * page_bytes());
  }
  EXPECT_EQ(retry_pending_releases(), 0U);
  EXPECT_EQ(mappings::now(), before);
}

TEST(MemoryFailure, X6_TwoThreadsMayReleaseWhileReleasesAreRefused) {
  constexpr int rounds = 60;
  std::thread([] {}).join();  // The C library keeps one stack and one arena for the next thread.
  const mappings before = mappings::now();
  {
    const fault_scope fault({.kind = call::unmap, .nth = 20, .persistent = true});
    const auto churn = [] {
      for (int i = 0; i < rounds; ++i) release(map(page_bytes()).value(), page_bytes());
    };
    std::thread other(churn);
    churn();
    other.join();
    EXPECT_GT(fault.injected(), 0U);
  }
  EXPECT_EQ(retry_pending_releases(), 0U);
  test::expect_grown_by(before, 0);
}

/// One call on mapped memory, the kind of call, and the name in its error.
struct refusal {
  const char* operation;
  call kind;
  result<void> (*make)(std::byte* base, std::size_t size);
};

const refusal refusals[] = {
    {"os.protect", call::protect,
     [](std::byte* b, std::size_t n) { return protect(b, n, access::none); }},
    {"os.install_guard", call::guard_install,
     [](std::byte* b, std::size_t n) { return install_guard(b, n); }},
    {"os.remove_guard", call::guard_remove,
     [](std::byte* b, std::size_t n) { return remove_guard(b, n); }},
    {"os.discard", call::advise, [](std::byte* b, std::size_t n) { return discard(b, n); }},
    {"os.residency", call::residency,
     [](std::byte* b, std::size_t n) {
       unsigned char flags[2];
       return residency(b, std::span(flags, n / page_bytes()));
     }},
};

TEST(MemoryFailure, EachRefusedCallIsOneClearErrorAndChangesNothing) {
  const std::size_t size = 2 * page_bytes();
  const auto mapped = map(size);
  ASSERT_TRUE(mapped);
  std::memset(*mapped, 0x66, size);
  const mappings before = mappings::now();
  for (const refusal& row : refusals) {
    for (const int error_number : {ENOMEM, EINVAL, EPERM}) {
      const fault_scope fault({.kind = row.kind, .nth = 1, .error_number = error_number});
      const auto status = row.make(*mapped, size);
      ASSERT_FALSE(status) << row.operation;
      EXPECT_STREQ(status.error().operation(), row.operation);
      EXPECT_EQ(status.error().error_number(), error_number);
      EXPECT_EQ(status.error().kind(), errc_of_errno(error_number));
      EXPECT_NE(status.error().message().find('(' + std::to_string(size) + ')'), std::string::npos);
      EXPECT_EQ(fault.seen(), 1U) << "one call each";
    }
  }
  EXPECT_EQ(mappings::now(), before);
  EXPECT_EQ((*mapped)[size - 1], std::byte{0x66});
  release(*mapped, size);
}

TEST(MemoryFailure, ARefusedMapNamesTheBytes) {
  const fault_scope fault({.kind = call::map, .nth = 1, .error_number = ENOMEM});
  const auto refused = map(page_bytes());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "os.map: no memory: mmap refused this many bytes (" +
                                           std::to_string(page_bytes()) + ") [errno 12]");
}

TEST(MemoryFailure, AdviceOnHugePagesIsBestEffort) {
  const auto mapped = map(page_bytes());
  ASSERT_TRUE(mapped);
  {
    const fault_scope fault({.kind = call::advise, .nth = 1, .error_number = EINVAL});
    avoid_huge_pages(*mapped, page_bytes());
    EXPECT_EQ(fault.injected(), 1U);
  }
  (*mapped)[0] = std::byte{1};
  release(*mapped, page_bytes());
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
