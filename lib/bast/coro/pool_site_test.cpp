// SPDX-License-Identifier: Apache-2.0
//
// A pool's records of spawn sites.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "bast/coro.hpp"

namespace bast {
namespace {

using namespace bast::literals;

TEST(PoolSite, EverySiteIsRecordedUnderItsOwnName) {
  coro_pool pool = *coro_pool::create();
  for (int i = 0; i < 3; ++i) {
    auto c = pool.acquire();
    ASSERT_FALSE(c->start("labelled", [] {}).failed());
  }
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([] {}).failed());
  const unsigned line = __LINE__ - 1;
  ASSERT_TRUE(c->release());
  std::size_t sites = 0;
  pool.for_each_site([&](const site_stats& site) {
    ++sites;
    text name;
    site.key.describe(name);
    if (site.key.line == 0) {
      EXPECT_EQ(name.view(), "labelled");
      EXPECT_EQ(site.uses, 3U);
      EXPECT_EQ(site.samples, 3U);
    } else {
      EXPECT_EQ(site.key.line, line);
      EXPECT_NE(std::string(name.view()).find("pool_site_test.cpp:"), std::string::npos);
      EXPECT_EQ(site.uses, 1U);
    }
    EXPECT_GT(site.max, 0_B);
    EXPECT_LE(site.p50, site.p99);
    EXPECT_LE(site.p99, site.max);
  });
  EXPECT_EQ(sites, 2U);
}

/// Uses the stack itself, even if a sanitizer keeps locals elsewhere.
[[gnu::noinline]] void use_stack(std::size_t size) {
  void* const local = std::memset(__builtin_alloca(size), 1, size);
  asm volatile("" : : "r"(local) : "memory");  // It escapes: the compiler must keep it.
}

/// Successive coroutines share a stack. One of them queries the sites; another coroutine does so
/// while it is suspended; it queries again after its stack has grown.
TEST(PoolSite, D4_AQueryWhileAStackIsInUseKnowsWhoRanThereBefore) {
  coro_pool pool = *coro_pool::create({.max_coros = 1});
  const auto deepest = [&](std::uint64_t uses) {
    bytes max;
    pool.for_each_site([&](const site_stats& site) {
      EXPECT_EQ(site.uses, uses);
      max = site.max;
    });
    return max;
  };
  constexpr int earlier = samples_in_full + 8;
  const auto run = [&](yielder<>& out, int number) {
    if (number + 1 == earlier) use_stack(20'000);
    if (number != earlier) return;
    EXPECT_GE(deepest(earlier), bytes{20'000});
    out.yield();
    use_stack(100'000);
    EXPECT_GE(deepest(earlier), bytes{20'000});
  };
  for (int i = 0; i <= earlier; ++i) {
    auto c = pool.acquire();
    ASSERT_FALSE(c->start("one", [&](yielder<>& out) { run(out, i); }).failed());
    if (i != earlier) continue;
    EXPECT_GE(deepest(earlier), bytes{20'000});
    EXPECT_FALSE(c->resume().failed());
  }
  EXPECT_GE(deepest(earlier + 1), bytes{100'000});
  pool.check_invariants();
}

TEST(PoolSite, SitesBeyondTheLimitShareOne) {
  coro_pool pool = *coro_pool::create();
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < site_table::sites_max + 5; ++i)
    labels.push_back("site " + std::to_string(i));
  for (const std::string& label : labels) {
    auto c = pool.acquire();
    ASSERT_FALSE(c->start(static_string::promise(label.c_str()), [] {}).failed());
  }
  std::size_t sites = 0;
  std::uint64_t others = 0;
  pool.for_each_site([&](const site_stats& site) {
    ++sites;
    text name;
    site.key.describe(name);
    if (name.view() == "(other)") others = site.uses;
  });
  EXPECT_EQ(sites, site_table::sites_max);
  EXPECT_EQ(others, 6U);  // one of the records is theirs
}

}  // namespace
}  // namespace bast
