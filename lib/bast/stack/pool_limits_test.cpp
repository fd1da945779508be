// SPDX-License-Identifier: Apache-2.0
//
// A pool at the system's limits: a million stacks, locked memory, no address space. Irreversible
// changes happen in a child, which reports by its exit code.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "bast/os.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/mappings.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;

constexpr bool sanitized = BAST_WITH_ASAN != 0 || BAST_WITH_TSAN != 0 || BAST_WITH_MSAN != 0;
constexpr int good = 0;
constexpr int impossible_here = 77;

/// In the child: reports which step failed.
int failed(int step, const error& why) {
  (void)std::fprintf(stderr, "step %d: %s\n", step, why.message().c_str());
  return step;
}

TEST(StackPoolLimits, AMillionStacksAreAHandfulOfMappings) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind searches a list of all stacks";
  if (sanitized) GTEST_SKIP() << "page tables and shadow of a million stacks";
  if (!test::tier_works(stack_tier::guard_markers)) GTEST_SKIP() << "guard markers do not guard";
  constexpr std::size_t million = 1'000'000;
  const auto before = test::mappings::now();
  stack_pool pool;
  ASSERT_TRUE(pool.init({.limit = 16_KiB,
                         .guard = 64_KiB,
                         .window = 16_KiB,
                         .tier = stack_tier::guard_markers},
                        million)
                  .has_value());
  const auto reserved = pool.reserve(million);
  ASSERT_TRUE(reserved.has_value()) << reserved.error().message();
  const auto after = test::mappings::now();
  EXPECT_LE(after.count - before.count, 64U);
  RecordProperty("mappings", static_cast<int>(after.count - before.count));
  const stack_pool_stats all = pool.stats();
  EXPECT_EQ(all.idle, million);
  EXPECT_EQ(all.stacks_guard_markers, million);
  slot& s = **pool.acquire(site_a);
  EXPECT_FALSE(test::accessible(slab::of(s).open_low(s) - 16));
  EXPECT_TRUE(test::accessible(slab::of(s).open_low(s)));
  pool.release(s);
  EXPECT_GT(pool.shrink().count, million * (80 << 10) - 1);
}

/// Every stack of a new pool works and is guarded.
int use_a_pool(stack_pool& pool, std::size_t count) {
  std::vector<slot*> all;
  for (std::size_t i = 0; i < count; ++i) {
    const auto got = pool.acquire(site_a);
    if (!got) return failed(10, got.error());
    all.push_back(*got);
    slot& s = **got;
    if (const auto grown = ensure_open(s, s.top - (100 << 10)); !grown) {
      return failed(11, grown.error());
    }
    const slab& home = slab::of(s);
    if (test::accessible(home.low(s))) return 12;
    if (test::accessible(home.open_low(s) - 16)) return 13;
    if (test::pages_other_than(true, home.open_low(s), home.high(s)) != 0) return 14;
    test::fill(s, 90 << 10);
  }
  for (slot* const s : all) pool.release(*s);
  pool.check_invariants();
  for (slot*& s : all) s = *pool.acquire(site_a);
  for (slot* const s : all) {
    if (!test::open_part_is(*s, std::byte{0})) return 15;
    pool.release(*s);
  }
  pool.shrink();
  pool.check_invariants();
  return good;
}

constexpr stack_options scrubbing{.scrub = stack_scrub::zero_used};

TEST(StackPoolLimits, D2_LockedMemoryFallsBackToProtection) {
  if (sanitized) GTEST_SKIP() << "the sanitizers disable mlockall";
  (void)resolve_tier(stack_tier::automatic);  // Probes before the memory is locked.
  const int answer = test::in_child([] {
    if (!test::lock_memory(MCL_FUTURE)) return impossible_here;
    stack_pool pool;
    if (const auto ready = pool.init(scrubbing, 20); !ready) return failed(1, ready.error());
    if (const int wrong = use_a_pool(pool, 20); wrong != good) return wrong;
    if (!pool.acquire(site_a)) return 2;
    if (pool.stats().stacks_guard_markers != 0) return 3;
    ::_exit(good);  // With one stack live, as programs end.
  });
  if (answer == impossible_here) GTEST_SKIP() << "mlockall is not permitted";
  EXPECT_EQ(answer, good);
}

TEST(StackPoolLimits, D2_LockedMemoryIsAnErrorWhereMarkersAreDemanded) {
  if (sanitized) GTEST_SKIP() << "the sanitizers disable mlockall";
  if (!test::tier_works(stack_tier::guard_markers)) GTEST_SKIP() << "guard markers do not guard";
  (void)resolve_tier(stack_tier::automatic);
  const int answer = test::in_child([] {
    if (!test::lock_memory(MCL_FUTURE)) return impossible_here;
    stack_pool pool;
    if (!pool.init({.tier = stack_tier::guard_markers}, 20)) return 1;
    const auto got = pool.acquire(site_a);
    if (got) return 2;
    return got.error().kind() == errc::invalid ? good : failed(3, got.error());
  });
  if (answer == impossible_here) GTEST_SKIP() << "mlockall is not permitted";
  EXPECT_EQ(answer, good);
}

TEST(StackPoolLimits, D2_MemoryLockedLaterSealsTheSlabAndTheNextOneProtects) {
  if (sanitized) GTEST_SKIP() << "the sanitizers disable mlockall";
  const int answer = test::in_child([] {
    stack_pool pool;
    if (const auto ready = pool.init(scrubbing, 40); !ready) return failed(1, ready.error());
    if (!pool.acquire(site_a)) return 2;
    if (!test::lock_memory(MCL_CURRENT)) ::_exit(impossible_here);  // With one stack live.
    const int wrong = use_a_pool(pool, 39);
    if (wrong != good) return wrong;
    ::_exit(good);
  });
  if (answer == impossible_here) GTEST_SKIP() << "mlockall is not permitted";
  EXPECT_EQ(answer, good);
}

TEST(StackPoolLimits, X6_WithoutAddressSpaceIsNoMemoryAndWhatThereIsWorks) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind itself needs address space";
  if (sanitized) GTEST_SKIP() << "the sanitizer itself needs address space";
  const int answer = test::in_child([] {
    stack_pool pool;
    if (const auto ready = pool.init({}, 100'000); !ready) return failed(1, ready.error());
    const std::size_t room = std::size_t{64} << 20;
    const rlim_t limit = test::mappings::now().byte_count + room;
    const rlimit bound{limit, limit};
    if (::setrlimit(RLIMIT_AS, &bound) != 0) return impossible_here;
    std::size_t count = 0;
    auto got = pool.acquire(site_a);
    for (; got; got = pool.acquire(site_a)) {
      ++count;
      *((*got)->top - 1) = std::byte{1};
    }
    if (got.error().kind() != errc::no_memory) return failed(2, got.error());
    pool.check_invariants();
    // Most of the address space is used, because the last slabs are small.
    ::_exit(count * pool.geometry().stride > room / 2 ? good : 3);  // With all of them live.
  });
  if (answer == impossible_here) GTEST_SKIP() << "RLIMIT_AS is not permitted";
  EXPECT_EQ(answer, good);
}

}  // namespace
}  // namespace bast
