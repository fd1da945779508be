// SPDX-License-Identifier: Apache-2.0
//
// Recommendations against the guarantees to users: they cover the deepest use, more evidence for
// depth never lowers them, and a user who follows them gets no further advice.
#include "show/recommend.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "inspector_samples.hpp"

namespace bast_stacks::test {
namespace {

constexpr std::uint64_t limit_most = 64 << 20;  // the maximum of stack_options
constexpr stack_reserves reserves{.signal_frame = 1776};

recommend_options asked(double confidence = 0.95, double quantile = 0.999) {
  return {.confidence = confidence, .quantile = quantile, .reserves = reserves};
}

std::vector<std::optional<std::uint64_t>> some_bounds(const snapshot& of) {
  std::vector<std::optional<std::uint64_t>> bounds(of.sites.size());
  for (auto& bound : bounds)
    if (*flags()) bound = *depths();
  return bounds;
}

bool decided(verdict what) {
  return what == verdict::fits || what == verdict::lower || what == verdict::raise;
}

double a_part() { return *rc::gen::element(0.5, 0.9, 0.95, 0.99, 0.999, 0.9999); }

RC_GTEST_PROP(InspectorRecommend, ALimitHoldsWhatWasSeenAndTheReserves,
              (const likely_snapshot& s)) {
  const advice made = recommend(s.it, asked());
  const auto any = [&](verdict what) {
    return std::ranges::find(made.sites, what, &site_advice::what) != made.sites.end();
  };
  RC_CLASSIFY(any(verdict::lower), "lowers");
  RC_CLASSIFY(any(verdict::raise), "raises");
  RC_CLASSIFY(any(verdict::keep), "keeps");
  for (std::size_t i = 0; i < s.it.sites.size(); ++i) {
    if (!decided(made.sites[i].what)) continue;
    const std::uint64_t needed = s.it.sites[i].max + reserves.sum();
    RC_ASSERT(made.sites[i].limit >= std::min(needed, limit_most));
    RC_ASSERT(made.sites[i].window <= made.sites[i].limit);
  }
}

RC_GTEST_PROP(InspectorRecommend, ALimitIsNeverBelowASoundBound, (const likely_snapshot& s)) {
  recommend_options options = asked();
  options.static_bounds = some_bounds(s.it);
  const advice made = recommend(s.it, options);
  for (std::size_t i = 0; i < s.it.sites.size(); ++i) {
    if (!decided(made.sites[i].what)) continue;
    const std::uint64_t bound = options.static_bounds[i].value_or(0);
    RC_ASSERT(made.sites[i].limit >= std::min(bound, limit_most));
  }
}

RC_GTEST_PROP(InspectorRecommend, WhatIsRecommendedIsWholePages, (const likely_snapshot& s)) {
  const advice made = recommend(s.it, asked());
  for (const site_advice& each : made.sites) {
    RC_ASSERT(each.limit % s.it.page_bytes == 0);
    RC_ASSERT(each.window % s.it.page_bytes == 0);
  }
}

// A pool's limit is the largest of its sites', so one pool for all is never worse off.
RC_GTEST_PROP(InspectorRecommend, APoolHoldsAllItsSites, (const likely_snapshot& s)) {
  const advice made = recommend(s.it, asked());
  for (const pool_advice& group : made.pools) {
    for (std::size_t i = 0; i < s.it.sites.size(); ++i) {
      const bool at_home = std::ranges::any_of(group.pools, [&](std::size_t pool) {
        return std::ranges::find(s.it.sites[i].pools, s.it.pools[pool].id) !=
               s.it.sites[i].pools.end();
      });
      if (at_home && made.sites[i].what != verdict::unused)
        RC_ASSERT(group.limit >= made.sites[i].limit);
    }
  }
}

RC_GTEST_PROP(InspectorRecommend, MoreConfidenceNeverMakesALimitSmaller,
              (const likely_snapshot& s)) {
  const double some = a_part();
  const double quantile = a_part();
  const advice before = recommend(s.it, asked(some, quantile));
  const advice surer = recommend(s.it, asked(std::max(some, a_part()), quantile));
  const advice wider = recommend(s.it, asked(some, std::max(quantile, a_part())));
  for (std::size_t i = 0; i < s.it.sites.size(); ++i) {
    RC_ASSERT(surer.sites[i].limit >= before.sites[i].limit);
    RC_ASSERT(wider.sites[i].limit >= before.sites[i].limit);
  }
}

// Not for `keep`: the missing use may be the one that permits a lower limit.
RC_GTEST_PROP(InspectorRecommend, ADeeperUseNeverMakesALimitSmaller, (const likely_snapshot& s)) {
  const advice before = recommend(s.it, asked());
  snapshot deeper = s.it;
  for (site& each : deeper.sites) {
    each.max += *depths();
    each.uses += 1;
  }
  const advice after = recommend(deeper, asked());
  for (std::size_t i = 0; i < s.it.sites.size(); ++i) {
    if (!decided(before.sites[i].what)) continue;
    RC_ASSERT(after.sites[i].need >= before.sites[i].need);
    RC_ASSERT(after.sites[i].limit >= before.sites[i].limit);
  }
}

RC_GTEST_PROP(InspectorRecommend, WhoFollowsItIsAskedForNothingMore, (const likely_snapshot& s)) {
  snapshot followed = s.it;
  // Separate places, so that the advice of a pool differs from its neighbour's.
  for (pool& each : followed.pools) each.where = "/src/pool.cpp:" + std::to_string(each.id);
  const advice first = recommend(followed, asked());
  for (const pool_advice& group : first.pools) {
    for (const std::size_t index : group.pools) {
      pool& changed = followed.pools[index];
      changed.limit = group.limit;
      changed.window = group.window;
      for (site& each : followed.sites) {
        if (std::ranges::find(each.pools, changed.id) == each.pools.end()) continue;
        each.limit = group.limit;
        each.window = group.window;
      }
    }
  }
  for (const pool_advice& group : recommend(followed, asked()).pools) {
    if (group.pools.empty()) continue;
    RC_ASSERT(group.what == verdict::fits || group.what == verdict::keep ||
              group.what == verdict::unused);
    RC_ASSERT(group.limit == group.old_limit);
    RC_ASSERT(group.saved == 0U);
  }
}

}  // namespace
}  // namespace bast_stacks::test
