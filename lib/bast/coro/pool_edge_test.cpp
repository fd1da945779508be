// SPDX-License-Identifier: Apache-2.0
//
// A pool at its limits, without memory, and at its end.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace bast::literals;

TEST(PoolEdge, ReserveAnswersExactlyAtTheMaximum) {
  coro_pool pool = *coro_pool::create({.max_coros = 10});
  EXPECT_EQ(test::words_of(pool.reserve(11)),
            "coro_pool.reserve: limit reached: more than the pool's maximum of coroutines (10)");
  EXPECT_EQ(pool.stats().stacks.slots_opened, 0U);
  EXPECT_TRUE(pool.reserve(0));
  EXPECT_TRUE(pool.reserve(10));
  EXPECT_GE(pool.stats().stacks.idle, 10U);
  EXPECT_EQ(test::words_of(coro_pool::create({.max_coros = 0})),
            "coro_pool.create: invalid argument: max_coros must be at least 1");
  EXPECT_TRUE(coro_pool::create({.max_coros = 1}));
}

#if BAST_EXCEPTIONS
/// More than a page of the list in which the end of a pool records them.
TEST(PoolEdge, F17_AmongManyTheNewestIsUnwoundFirst) {
  std::vector<int> order;
  struct writes {
    std::vector<int>& order;
    int number;
    ~writes() { order.push_back(number); }
  };
  const auto live = [&] {
    coro_pool pool = *coro_pool::create({.max_coros = 20'000});
    for (int i = 0; i < 20'000; ++i) {
      auto c = pool.acquire()->detach();  // Ready, except for one in a thousand.
      if (i % 1000 != 0) continue;
      const auto step = c.start([&order, i](yielder<>& out) {
        const writes local{order, i};
        out.yield();
      });
      EXPECT_TRUE(step.yielded());
    }
  };
  live();  // Allocates what the process keeps permanently.
  order.clear();
  const test::leak_baseline before;
  live();
  EXPECT_EQ(before.differences(), "");
  std::vector<int> wanted;
  for (int i = 19'000; i >= 0; i -= 1000) wanted.push_back(i);
  EXPECT_EQ(order, wanted);
}

/// Coroutines that destructors acquire at the end of a pool end after all earlier ones.
TEST(PoolEdge, F17_WhatBeginsMeanwhileEndsLast) {
  std::vector<int> order;
  {
    coro_pool pool = *coro_pool::create();
    struct starts {
      coro_pool& from;
      std::vector<int>& order;
      int number;
      ~starts() {
        order.push_back(number);
        if (number >= 100) return;
        auto c = from.acquire()->detach();
        EXPECT_FALSE(c.start([&f = from, &o = order, n = number](yielder<>& out) {
                        const starts local{f, o, n + 100};
                        out.yield();
                      }).failed());
      }
    };
    for (int i = 0; i < 3; ++i) {
      auto c = pool.acquire()->detach();
      ASSERT_FALSE(c.start([&, i](yielder<>& out) {
                      const starts local{pool, order, i};
                      out.yield();
                    }).failed());
    }
  }
  EXPECT_EQ(order, (std::vector{2, 1, 0, 100, 101, 102}));
}

/// A destructor may release a coroutine that is still to be released, and its place may be reused.
TEST(PoolEdge, F17_APlaceThatWasTakenAgainWaitsForItsTurn) {
  struct writes {
    std::vector<int>& order;
    int number;
    ~writes() { order.push_back(number); }
  };
  std::vector<int> order;
  std::optional<coro_pool> owner = *coro_pool::create();
  coro_pool& pool = *owner;  // also while it ends
  const auto suspended = [&](int number) {
    auto c = pool.acquire()->detach();
    EXPECT_FALSE(c.start([&order, number](yielder<>& out) {
                    const writes local{order, number};
                    out.yield();
                  }).failed());
    return c;
  };
  (void)suspended(1);
  coro_ref<> second = suspended(2);
  struct replaces {
    coro_ref<>& second;
    decltype(suspended)& start;
    ~replaces() {
      EXPECT_TRUE(second.release());
      second = start(4);
    }
  };
  ASSERT_FALSE(pool.acquire()
                   ->detach()
                   .start([&](yielder<>& out) {
                     const replaces local{second, suspended};
                     out.yield();
                   })
                   .failed());
  owner.reset();
  EXPECT_EQ(order, (std::vector{2, 1, 4}));
}

TEST(PoolEdge, F17_AlsoWithoutMemoryTheNewestIsUnwoundFirst) {
  std::vector<int> order;
  struct writes {
    std::vector<int>& order;
    int number;
    ~writes() { order.push_back(number); }
  };
  order.reserve(200);
  {
    coro_pool pool = *coro_pool::create();
    // Acquired and released in another order first, so that places do not reveal ages.
    std::vector<coro<>> shuffled;
    for (int i = 0; i < 150; ++i) shuffled.push_back(*pool.acquire());
    for (std::size_t i = 0; i < shuffled.size(); i += 2) ASSERT_TRUE(shuffled[i].release());
    for (std::size_t i = 1; i < shuffled.size(); i += 2) ASSERT_TRUE(shuffled[i].release());
    for (int i = 0; i < 150; ++i) {
      auto c = pool.acquire()->detach();
      ASSERT_FALSE(c.start([&order, i](yielder<>& out) {
                      const writes local{order, i};
                      out.yield();
                    }).failed());
    }
    EXPECT_TRUE(order.empty());
    const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
    const coro_pool gone = std::move(pool);
  }
  ASSERT_EQ(order.size(), 150U);
  for (int i = 0; i < 150; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], 149 - i);
}
#endif

TEST(PoolEdge, X6_APoolThatCannotBeMadeLeavesNothing) {
  {
    ASSERT_TRUE(coro_pool::create());
  }
  const test::leak_baseline before;
  const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
  EXPECT_EQ(test::kind_of(coro_pool::create()), errc::no_memory);
  EXPECT_EQ(fault.injected(), 1U);
  EXPECT_EQ(test::kind_of(coro_pool::create({.stack = {.limit = 1_KiB}})), errc::no_memory);
  EXPECT_EQ(before.differences(), "");
}

TEST(PoolEdge, WhatIsLeftAndWhatIsUsedAreTheStack) {
  coro_pool pool = *coro_pool::create({.stack = {.limit = 128_KiB, .colour = false}});
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([] {
                  EXPECT_FALSE(this_coro::unwinding());
                  EXPECT_TRUE(this_coro::exists());
                  const std::size_t used = this_coro::stack_used().count;
                  const std::size_t left = this_coro::stack_left().count;
                  EXPECT_GT(used, 0U);
                  EXPECT_LT(used, (16_KiB).count);
                  // Each measures from its own frame; both frames are small.
                  EXPECT_GT(used + left, (127_KiB).count);
                  EXPECT_LT(used + left, (129_KiB).count);
                }).failed());
}

TEST(PoolEdge, EveryStackIsShownAsItIs) {
  coro_pool pool = *coro_pool::create({.stack = {.limit = 128_KiB, .guard = 128_KiB}});
  std::vector<coro<>> all;
  std::vector<stack_view> seen;
  for (int i = 0; i < 3; ++i) {
    all.push_back(*pool.acquire());
    ASSERT_FALSE(all.back()
                     .start([&](yielder<>& out) {
                       seen.push_back(find_stack(__builtin_frame_address(0)));
                       out.yield();
                     })
                     .failed());
  }
  std::size_t shown = 0;
  pool.for_each_stack([&](const stack_view& view) {
    for (const stack_view& own : seen) {
      if (view.record != own.record) continue;
      ++shown;
      EXPECT_EQ(view.low, own.low);
      EXPECT_EQ(view.open_low, own.open_low);
      EXPECT_EQ(view.top, own.top);
    }
    EXPECT_LE(view.low, view.open_low);
    EXPECT_LT(view.open_low, view.top);
    EXPECT_LE(view.top - view.low, 128 << 10);
  });
  EXPECT_EQ(shown, seen.size());
  for (auto& c : all) ASSERT_TRUE(c.resume().finished());
}

/// Sites for which there is no room share a record, which is visited with the others.
TEST(PoolEdge, X6_SitesWithoutARecordAreShownAsOne) {
  coro_pool pool = *coro_pool::create();
  ASSERT_TRUE(pool.reserve(1));
  static constexpr const char* labels[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  {
    const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
    for (const char* const label : labels) {
      auto c = pool.acquire();
      ASSERT_TRUE(c);
      ASSERT_FALSE(c->start(static_string::promise(label), [] {}).failed());
    }
  }
  std::vector<std::pair<std::string, std::uint64_t>> shown;
  pool.for_each_site([&](const site_stats& site) {
    text name;
    site.key.describe(name);
    shown.emplace_back(name.view(), site.uses);
  });
  ASSERT_FALSE(shown.empty());
  EXPECT_EQ(shown[0].first, "(other)");
  EXPECT_EQ(shown[0].second + shown.size() - 1, std::size(labels));
  EXPECT_GT(shown[0].second, 1U);
  for (std::size_t i = 1; i < shown.size(); ++i) {
    EXPECT_EQ(shown[i], std::pair(std::string(labels[i - 1]), std::uint64_t{1}));
  }
}

/// Its core and its table of sites, each less than a page.
TEST(PoolEdge, APoolWithoutStacksIsTwoPages) {
  {
    ASSERT_TRUE(coro_pool::create());
  }
  const auto before = test::process_counts::now();
  const auto pool = coro_pool::create();
  const auto after = test::process_counts::now();
  if (before.mappings == 0) GTEST_SKIP() << "a sanitizer's own mappings come and go";
  EXPECT_EQ(after.mapped_bytes - before.mapped_bytes, 2 * os::page_bytes());
}

TEST(PoolEdge, WhatIsShownAPoolsStacksMayUseThePool) {
  coro_pool pool = *coro_pool::create();
  {
    auto used = pool.acquire();
    ASSERT_FALSE(used->start([] {}).failed());
  }
  std::size_t shown = 0;
  pool.for_each_stack([&](const stack_view&) {
    ++shown;
    EXPECT_EQ(pool.shrink(), 0_B) << "visited slabs stay mapped";
    auto c = pool.acquire();
    EXPECT_TRUE(c->start([] {}).finished());
  });
  EXPECT_GT(shown, 0U);
  pool.for_each_site([&](const site_stats&) { EXPECT_EQ(pool.shrink(), 0_B); });
  EXPECT_GT(pool.shrink(), 0_B);
  pool.check_invariants();
}

}  // namespace
}  // namespace bast
