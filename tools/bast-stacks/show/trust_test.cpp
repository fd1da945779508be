// SPDX-License-Identifier: Apache-2.0
//
// Checks that advice keeps its guarantees: simulated users measure, apply the advice, and run on.
// The advice does not know the laws of the true depths.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include "model/test_samples.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {
namespace {

constexpr std::uint64_t limit_before = 1 << 20;
constexpr std::uint64_t round_bytes = 320;

/// The depth of the next use; `time` runs from 0 through measuring to 1 and on to 2.
using law = std::function<double(double u, double time)>;

struct named_law {
  const char* name;
  law depth;
  bool recursive = false;  // the depth consists of rounds of `round_bytes`
};

/// Bounded and unbounded depths; both rise by `part` over the time.
law rising(double part) {
  return [=](double u, double time) { return (50'000 + 100'000 * u) * (1 + part * time); };
}
law rising_tail(double part) {
  return [=](double u, double time) { return (500 - 8000 * std::log(1 - u)) * (1 + part * time); };
}

/// One use in `every` goes deep, from `start` on.
law deep_path_from(double start, double every) {
  return
      [=](double u, double time) { return time >= start && u > 1 - 1 / every ? 90'000.0 : 1000.0; };
}

const named_law laws[] = {
    {"uniform", [](double u, double) { return 1000 + 50'000 * u; }},
    {"exponential", [](double u, double) { return 500 - 3000 * std::log(1 - u); }},
    {"heavy tail", [](double u, double) { return 300 * std::pow(1 - u, -0.5); }},
    {"rare deep path", [](double u, double) { return u < 0.9995 ? 1000.0 : 60'000.0; }},
    {"rarer deep path", [](double u, double) { return u < 0.9998 ? 1000.0 : 60'000.0; }},
    {"drifting", [](double u, double time) { return (5000 + 10'000 * u) * (1 + 0.1 * time); }},
    {"recursion", [](double u, double) { return 800 - 12 * round_bytes * std::log(1 - u); }, true},
};

/// What a process would have recorded of `uses` uses.
snapshot measured(const named_law& of, std::uint64_t uses, std::mt19937_64& random) {
  std::uniform_real_distribution<double> chance(0, 1);
  snapshot s = test::sample_server();
  s.stacks.clear();
  s.pools.resize(1);
  s.pools[0].limit = limit_before;
  s.sites = {test::make_site("/src/x.cpp", 5, {{1000, uses}})};
  site& it = s.sites[0];
  it.limit = limit_before;
  it.max = 0;
  it.live = 1;  // it continues, so later uses may be deeper
  for (std::uint64_t i = 0; i < uses; ++i) {
    const double time = static_cast<double>(i) / static_cast<double>(uses);
    const auto depth =
        static_cast<std::uint64_t>(std::min(of.depth(chance(random), time), 0.9 * limit_before));
    if (depth <= it.max) continue;
    it.max = depth;
    it.max_age_ns = static_cast<std::uint64_t>((1 - time) * static_cast<double>(s.runtime_ns));
  }
  // A stack grows by doubling, so the last growth is at half of the depth or above.
  constexpr std::uint64_t window = 32 << 10;
  std::uint64_t open = window;
  while (it.max > open) {
    it.deepest.depth = open;
    open *= 2;
  }
  if (it.deepest.depth != 0) {
    const std::size_t rounds = of.recursive ? (it.deepest.depth - 800) / round_bytes : 0;
    it.deepest.frames.assign(rounds, test::make_frame("descend", round_bytes));
    it.deepest.frames.push_back(test::make_frame("start", 800));
    it.deepest.inner = it.deepest.frames.size();
  }
  return s;
}

/// How many of a thousand further uses need more than the advised limit.
int overflows(const named_law& of, std::uint64_t limit, std::mt19937_64& random) {
  std::uniform_real_distribution<double> chance(0, 1);
  int over = 0;
  for (int i = 0; i < 1000; ++i) {
    const double depth = of.depth(chance(random), 1 + i / 1000.0);
    over += depth > static_cast<double>(limit) ? 1 : 0;
  }
  return over;
}

/// Of 100 worlds.
struct tally {
  int kept = 0;     // a thousand uses overflowed once at most
  int lowered = 0;  // advice that changes nothing cannot fail
  int late = 0;     // no rate was guaranteed
  int true_words = 0;
};

tally worlds_of(const named_law& of) {
  tally all;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    std::mt19937_64 random(seed);
    const snapshot s = measured(of, 3000, random);
    const site_advice a = recommend(s, {.reserves = {.signal_frame = 3376}}).sites[0];
    const bool kept = overflows(of, a.limit, random) <= 1;
    all.lowered += a.what == verdict::lower ? 1 : 0;
    all.kept += kept ? 1 : 0;
    all.late += a.late ? 1 : 0;
    all.true_words += kept || a.late ? 1 : 0;
  }
  return all;
}

/// "With 95 % confidence, at most 1 in 1,000": in 95 of 100 worlds a thousand uses overflow once at
/// most. Constant depths are reported as rising in one of twenty worlds.
TEST(Trust, AdviceKeepsItsWordIn95Of100Worlds) {
  for (const named_law& of : laws) {
    const tally all = worlds_of(of);
    EXPECT_GE(all.kept, 95) << of.name;
    EXPECT_GE(all.lowered, 95) << of.name;
    EXPECT_TRUE(all.late <= 10 || std::string(of.name) == "drifting") << of.name;
    RecordProperty(of.name, all.kept);
  }
}

/// Advice for a depth that rises this much does not hold, and does not claim to.
TEST(Trust, OfADepthThatRisesByAThirdNoRateIsPromised) {
  for (const double part : {1.0 / 3, 0.5, 1.0, 2.0}) {
    const tally all = worlds_of({"rising", rising(part)});
    EXPECT_LT(all.kept, 50) << part << ": or this world tests nothing";
    EXPECT_GE(all.true_words, 95) << part;
  }
}

/// A path that began halfway was observed often enough, or is rarer than the guarantee.
TEST(Trust, ADeepPathThatBeginsHalfwayIsSeen) {
  for (const double every : {100.0, 300.0, 5000.0})
    EXPECT_GE(worlds_of({"halfway", deep_path_from(0.5, every)}).true_words, 95) << every;
}

/// docs/inspector.md, "What is not measured", with its numbers.
TEST(Trust, SomeDriftIsNotSeen) {
  const auto about = [](int number, const law& depth) {
    const int kept_or_said = worlds_of({"drift", depth}).true_words;
    EXPECT_LT(kept_or_said, 95) << "then the page is too modest";
    EXPECT_NEAR(kept_or_said, number, 10);
  };
  about(74, rising(0.1));
  about(66, rising_tail(0.5));
  about(91, deep_path_from(0.5, 1000));
  about(63, deep_path_from(0.9, 500));
  about(0, deep_path_from(1.0, 100));
}

}  // namespace
}  // namespace bast_stacks
