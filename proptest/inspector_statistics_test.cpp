// SPDX-License-Identifier: Apache-2.0
//
// Statistics against the sorted list of their samples.
#include "model/statistics.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "inspector_samples.hpp"

namespace bast_stacks::test {
namespace {

using bast::watch::bucket_of;

bool same_histogram(const site& a, const site& b) {
  return std::ranges::equal(a.histogram, b.histogram, [](const bucket& one, const bucket& other) {
    return one.index == other.index && one.count == other.count;
  });
}

/// The smallest difference of confidence and quantile that matters.
rc::Gen<double> parts() {
  return rc::gen::map(below(9998), [](std::uint64_t n) { return double(n + 1) / 10'000; });
}

// Oracle: the sorted list. A quantile is in the sample's own bucket, and never below the sample.
RC_GTEST_PROP(InspectorStatistics, AQuantileIsInTheBucketOfItsSample, ()) {
  auto list = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint64_t>>(depths()));
  const site of = site_of(list);
  std::ranges::sort(list);
  // In 64ths, whose products with a count are exact: rounding decides no rank.
  const std::uint64_t part = 1 + *below(64);
  const std::uint64_t exact = list[(part * list.size() + 63) / 64 - 1];
  const std::uint64_t told = quantile(of, static_cast<double>(part) / 64);
  RC_ASSERT(told >= exact);
  RC_ASSERT(bucket_of(told) == bucket_of(exact));
  RC_ASSERT(told <= list.back());
}

// Oracle: the histogram of both lists together, in either order.
RC_GTEST_PROP(InspectorStatistics, MergedIsTheHistogramOfAll, ()) {
  const auto some = *rc::gen::container<std::vector<std::uint64_t>>(depths());
  const auto more = *rc::gen::container<std::vector<std::uint64_t>>(depths());
  auto both = some;
  both.insert(both.end(), more.begin(), more.end());
  const site all = site_of(both);
  site merged = site_of(some);
  merge(merged, site_of(more));
  site other_way = site_of(more);
  merge(other_way, site_of(some));
  for (const site& each : {merged, other_way}) {
    RC_ASSERT(same_histogram(each, all));
    RC_ASSERT(each.max == all.max);
    RC_ASSERT(each.uses == all.uses);
    RC_ASSERT(each.samples == all.samples);
  }
}

// Oracle: the definition, 1 - p^n, multiplied out.
RC_GTEST_PROP(InspectorStatistics, ConfidenceIsWhatMultiplyingSays, ()) {
  const std::uint64_t runs = *below(2000);
  const double p = *parts();
  double all_below = 1;
  for (std::uint64_t i = 0; i < runs; ++i) all_below *= p;
  RC_ASSERT(std::abs(confidence(runs, p) - (1 - all_below)) < 1e-9);
}

RC_GTEST_PROP(InspectorStatistics, RunsNeededAreEnoughAndOneFewerIsNot, ()) {
  const double p = *parts();
  const double wanted = *parts();
  const std::uint64_t runs = runs_needed(p, wanted);
  RC_ASSERT(confidence(runs, p) >= wanted - 1e-12);
  RC_ASSERT(runs == 1 || confidence(runs - 1, p) < wanted + 1e-12);
  RC_ASSERT(supported_quantile(runs, wanted) >= p - 1e-12);
}

}  // namespace
}  // namespace bast_stacks::test
