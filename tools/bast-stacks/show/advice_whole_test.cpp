// SPDX-License-Identifier: Apache-2.0
//
// Every field of an advice, just below each of its bounds, at it and above it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "model/test_samples.hpp"
#include "model/test_whole.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {
namespace {

const char* word_of(verdict what) {
  constexpr const char* words[] = {"unused", "keep", "fits", "lower", "raise"};
  return words[static_cast<int>(what)];
}

/// Sizes as "224K+17".
std::string kib(std::uint64_t bytes) {
  return bytes % 1024 == 0 ? fmt::format("{}K", bytes / 1024)
                           : fmt::format("{}K+{}", bytes / 1024, bytes % 1024);
}

std::string advice_text(const snapshot& of, const recommend_options& options) {
  const advice all = recommend(of, options);
  std::string text = all.refused.empty() ? "" : "  " + all.refused + '\n';
  for (const auto& one : all.sites) {
    text += fmt::format("  site {} need {} limit {} window {} missing {} covered {:.6f}{}\n",
                        word_of(one.what), kib(one.need), kib(one.limit), kib(one.window),
                        one.runs_missing, one.covered, one.bound_decides ? " by bound" : "");
    const auto& kept = one.recursion;
    if (!kept.words.empty() || kept.bytes != 0)
      text += fmt::format("    \"{}\" {} x{} rounds {} bytes {}\n", kept.words, kept.function,
                          kept.times, kept.rounds, kept.bytes);
  }
  for (const auto& one : all.pools) {
    text += fmt::format("  pool {} \"{}\" {} -> {} window {} -> {} without {} stacks {} saved {}",
                        word_of(one.what), one.where, kib(one.old_limit), kib(one.limit),
                        kib(one.old_window), kib(one.window), kib(one.rest_limit), one.stacks,
                        kib(one.saved));
    text += one.decides ? fmt::format(" by {} of", *one.decides) : " by none of";
    for (const auto index : one.pools) text += fmt::format(" {}", index);
    text += '\n';
  }
  return text;
}

constexpr stack_reserves reserved{.signal_frame = 1776};  // 8368 bytes in total

recommend_options options_of(std::vector<std::optional<std::uint64_t>> bounds = {}) {
  return {.reserves = reserved, .static_bounds = std::move(bounds)};
}

snapshot one_use(std::uint64_t uses, std::uint64_t max, std::uint64_t limit = 256 << 10) {
  snapshot s = test::sample_server();
  s.sites = {test::make_site("/src/x.cpp", 5, {{max, uses}}, limit)};
  s.sites[0].held = 77;
  s.pools.resize(1);
  s.pools[0].limit = limit;
  s.pools[0].stacks = 100;
  s.stacks.clear();
  return s;
}

TEST(WholeAdvice, DepthsAroundEveryBound) {
  std::string text;
  const std::uint64_t sum = reserved.sum();
  // In whole pages: at one; and where a limit of 256 KiB is near, is raised, is the maximum.
  for (const std::uint64_t size :
       {16U << 10, 20U << 10, 220U << 10, 224U << 10, 256U << 10, 64U << 20}) {
    for (const std::uint64_t max : {size - sum - 1, size - sum, size - sum + 1}) {
      text += fmt::format("size {} max {}\n", kib(size), max);
      text += advice_text(one_use(5000, max), options_of());
    }
  }
  for (const std::uint64_t max : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    text += fmt::format("max {}\n", max);
    text += advice_text(one_use(5000, max), options_of());
  }
  test::expect_whole("show/whole/advice_depths.txt", text);
}

TEST(WholeAdvice, RunsAroundEveryBound) {
  std::string text;
  for (const std::uint64_t uses : {0U, 1U, 2U, 298U, 299U, 300U, 2994U, 2995U, 2996U}) {
    for (const double quantile : {0.99, 0.999}) {
      auto options = options_of();
      options.quantile = quantile;
      text += fmt::format("{} uses of {}\n", uses, quantile);
      text += advice_text(one_use(uses, 9300), options);
    }
  }
  snapshot live = one_use(0, 0);
  live.sites[0].live = 1;
  text += "one that lives\n" + advice_text(live, options_of());
  live.sites[0].max = 5;
  live.sites[0].live = 0;
  text += "one that was seen\n" + advice_text(live, options_of());
  test::expect_whole("show/whole/advice_runs.txt", text);
}

TEST(WholeAdvice, BoundsOfTheCodeAroundWhatIsNeeded) {
  std::string text;
  const std::uint64_t needed = 9300 + reserved.sum();
  for (const std::uint64_t bound :
       {needed - 1, needed, needed + 1, std::uint64_t{40960}, std::uint64_t{40961}}) {
    text += fmt::format("bound {}\n", bound);
    text += advice_text(one_use(5000, 9300), options_of({bound}));
    auto of_code = options_of({18'000});
    of_code.code = {.file = "server", .sites = {{.root = "start", .bytes = bound + 10'000}}};
    text += advice_text(one_use(5000, 9300), of_code);
    of_code.code.sites[0].reasons = 1;
    text += advice_text(one_use(5000, 9300), of_code);
  }
  // Bounds for another number of sites.
  text += "none for it\n" + advice_text(one_use(5000, 9300), options_of({std::nullopt, 90'000}));
  auto empty = options_of({});
  empty.code = {.file = "server", .sites = {}};
  text += advice_text(one_use(5000, 9300), empty);
  test::expect_whole("show/whole/advice_bounds.txt", text);
}

TEST(WholeAdvice, RoundsOfARecursion) {
  std::string text;
  for (const std::size_t times : {1U, 2U, 3U, 7U, 8U, 9U, 15U, 16U, 17U, 24U}) {
    snapshot s = one_use(5000, 9300);
    s.sites[0].deepest.depth = s.sites[0].max;
    s.sites[0].deepest.frames.assign(times, test::make_frame("descend", 210));
    s.sites[0].deepest.frames.push_back(test::make_frame("start", 100));
    s.sites[0].deepest.inner = times + 1;
    text += fmt::format("{} times\n{}", times, advice_text(s, options_of()));
  }
  snapshot s = one_use(5000, 9300);
  auto options = options_of();
  options.code = {
      .file = "server",
      .sites = {
          {.root = "start", .bytes = 1, .reasons = 1, .circle = "value", .circle_bytes = 3000}}};
  text += "of the code\n" + advice_text(s, options);
  s.sites[0].deepest.depth = s.sites[0].max;
  s.sites[0].deepest.frames.assign(2, test::make_frame("other", 110));
  text += "of the code and the stack\n" + advice_text(s, options);
  test::expect_whole("show/whole/advice_rounds.txt", text);
}

TEST(WholeAdvice, SitesOfSeveralPools) {
  std::string text;
  const auto with = [&](const char* what, auto change) {
    snapshot s = one_use(5000, 9300);
    s.pools.push_back(s.pools[0]);
    s.pools[1].id = 2;
    s.pools[1].where = "/src/other.cpp:7";
    s.pools[1].limit = 64 << 10;
    s.pools[1].window = 16 << 10;
    s.pools[1].stacks = 30;
    s.sites.push_back(test::make_site("/src/y.cpp", 9, {{30'000, 4000}}));
    s.sites.push_back(test::make_site("/src/z.cpp", 4, {{40'000, 100}}));
    s.sites[1].held = 5;
    s.sites[2].held = 6;
    change(s);
    text += fmt::format("{}\n{}", what, advice_text(s, options_of()));
  };
  with("all in the first", [](snapshot&) {});
  with("in both", [](snapshot& s) {
    for (auto& one : s.sites) one.pools = {1, 2};
  });
  with("one in each", [](snapshot& s) {
    s.sites[0].pools = {2};
    s.sites[0].limit = 64 << 10;
    s.sites.resize(2);
  });
  with("one that runs too rarely alone",
       [](snapshot& s) { s.sites[0].pools = s.sites[1].pools = {2}; });
  with("two that run too rarely", [](snapshot& s) {
    s.sites[1] = test::make_site("/src/w.cpp", 4, {{40'000, 200}});
    s.sites[0].pools = {};
  });
  with("two that run too rarely, the other way",
       [](snapshot& s) { s.sites[1] = test::make_site("/src/w.cpp", 4, {{40'000, 50}}); });
  with("the same limit twice", [](snapshot& s) {
    s.sites[1] = s.sites[0];
    s.sites.resize(2);
  });
  with("pools that are gone", [](snapshot& s) {
    s.pools.clear();
    s.sites[1].pools = {};
    s.sites[2].limit = 64 << 10;
  });
  with("raised", [](snapshot& s) { s.sites[1].max = 300'000; });
  with("none that ran", [](snapshot& s) { s.sites.clear(); });
  test::expect_whole("show/whole/advice_pools.txt", text);
}

TEST(WholeAdvice, EveryBuildThatDistorts) {
  std::string text;
  for (unsigned bit = 0; bit < 16; ++bit) {
    snapshot s = one_use(5000, 9300);
    s.sites.clear();
    s.pools.clear();
    s.built = std::uint64_t{1} << bit;
    text += fmt::format("bit {}\n{}", bit, advice_text(s, options_of()));
  }
  test::expect_whole("show/whole/advice_builds.txt", text);
}

TEST(WholeAdvice, ReservesAddUp) {
  constexpr stack_reserves each{
      .signal_frame = 1, .unwinding = 20, .lazy_binding = 300, .colouring = 4000};
  EXPECT_EQ(each.sum(), 4321U);
  EXPECT_EQ(stack_reserves{}.sum(), 6592U);
  constexpr stack_reserves huge{.signal_frame = ~std::uint64_t{0}};
  EXPECT_EQ(huge.sum(), ~std::uint64_t{0});
}

}  // namespace
}  // namespace bast_stacks
