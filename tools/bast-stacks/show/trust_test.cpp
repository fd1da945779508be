// SPDX-License-Identifier: Apache-2.0
//
// Whether advice keeps what its words promise: users are simulated who measure, set what they are
// told, and run on. The true depths follow laws that the advice does not know.
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

/// How deep the next use goes; `time` runs from 0 through measuring to 1 and on to 2.
using law = std::function<double(double u, double time)>;

struct named_law {
  const char* name;
  law depth;
  bool recursive = false;  // the depth is of rounds of `round_bytes`
};

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
  for (std::uint64_t i = 0; i < uses; ++i) {
    const double time = static_cast<double>(i) / static_cast<double>(uses);
    it.max = std::max(it.max, static_cast<std::uint64_t>(
                                  std::min(of.depth(chance(random), time), 0.9 * limit_before)));
  }
  // A stack grows by doubling, so that the last growth is at half of the depth or above.
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

/// How many of a thousand further uses need more than what the advice was.
int overflows(const named_law& of, std::uint64_t limit, std::mt19937_64& random) {
  std::uniform_real_distribution<double> chance(0, 1);
  int over = 0;
  for (int i = 0; i < 1000; ++i) {
    const double depth = of.depth(chance(random), 1 + i / 1000.0);
    over += depth > static_cast<double>(limit) ? 1 : 0;
  }
  return over;
}

/// "With 95 % confidence, at most 1 in 1,000": in 95 of 100 worlds a thousand uses overflow once at
/// most.
TEST(Trust, AdviceKeepsItsWordIn95Of100Worlds) {
  for (const named_law& of : laws) {
    int kept = 0;
    int lowered = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      std::mt19937_64 random(seed);
      const snapshot s = measured(of, 3000, random);
      const site_advice a = recommend(s).sites[0];
      lowered += a.what == verdict::lower ? 1 : 0;
      kept += overflows(of, a.limit, random) <= 1 ? 1 : 0;
    }
    EXPECT_GE(kept, 95) << of.name;
    EXPECT_GE(lowered, 95) << of.name << ": advice that changes nothing keeps every word";
    RecordProperty(of.name, kept);
  }
}

}  // namespace
}  // namespace bast_stacks
