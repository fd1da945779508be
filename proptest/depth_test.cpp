// SPDX-License-Identifier: Apache-2.0
//
// The histogram of depths against their sorted list.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "bast/testing/depths.hpp"

namespace bast {
namespace {

/// Equally many of each size: a depth is 2^n plus a rest, up to the maximum of a stack.
rc::Gen<std::size_t> depths() {
  return rc::gen::resize(
      rc::kNominalSize,
      rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 26), rc::gen::arbitrary<std::uint32_t>()),
                   [](const std::pair<int, std::uint32_t>& raw) {
                     const std::size_t octave = std::size_t{1} << raw.first;
                     return octave + raw.second % octave - (raw.first == 0 ? 1 : 0);
                   }));
}

RC_GTEST_PROP(DepthHistogram, QuantilesAreThoseOfTheSortedListToA31st, ()) {
  auto list = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::size_t>>(depths()));
  test::depths histogram;
  for (const std::size_t depth : list) histogram.add(depth);
  std::ranges::sort(list);
  RC_ASSERT(histogram.entry.samples == list.size());
  RC_ASSERT(histogram.entry.max == list.back());
  // In 64ths, whose products with a count are exact: rounding decides no rank.
  const auto part = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::size_t>(1, 65));
  const std::size_t rank = (part * list.size() + 63) / 64;
  const std::size_t exact = list[rank - 1];
  const std::size_t told = histogram.quantile(static_cast<double>(part) / 64);
  RC_ASSERT(told >= exact);
  RC_ASSERT(told <= exact + std::max<std::size_t>(63, exact / 31));
  RC_ASSERT(told <= list.back());
  RC_TAG(list.size() < 10 ? "few" : list.size() < 50 ? "some" : "many");
}

RC_GTEST_PROP(DepthHistogram, QuantilesRiseWithTheirRank, ()) {
  test::depths histogram;
  for (const std::size_t depth : *rc::gen::container<std::vector<std::size_t>>(depths())) {
    histogram.add(depth);
  }
  std::size_t before = 0;
  for (int percent = 1; percent <= 100; ++percent) {
    const std::size_t here = histogram.quantile(percent / 100.0);
    RC_ASSERT(here >= before);
    before = here;
  }
  RC_ASSERT(before == histogram.entry.max);
}

RC_GTEST_PROP(DepthHistogram, WhatIsNoSampleRaisesTheMaximumAlone, ()) {
  test::depths histogram;
  std::size_t most = 0;
  std::size_t samples = 0;
  using entry = std::pair<std::size_t, bool>;
  const auto entries =
      *rc::gen::container<std::vector<entry>>(rc::gen::pair(depths(), rc::gen::arbitrary<bool>()));
  for (const auto& [depth, is_sample] : entries) {
    if (is_sample) {
      histogram.add(depth);
      ++samples;
    } else {
      histogram.raise_max(depth);
    }
    most = std::max(most, depth);
  }
  RC_ASSERT(histogram.entry.samples == samples);
  RC_ASSERT(histogram.entry.max == most);
}

}  // namespace
}  // namespace bast
