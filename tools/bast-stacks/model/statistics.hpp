// SPDX-License-Identifier: Apache-2.0
//
// What reporters compute from a snapshot, once for all of them, so that a table, a page and a gate
// never disagree about a number.
//
// Confidence here is distribution-free: nothing is assumed of how depths are spread, only that the
// runs are independent and alike. Then the deepest of n runs lies above the p-quantile unless all n
// fell below it, which happens with probability p^n.
#pragma once

#include <cstdint>
#include <optional>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// How many depths the histogram holds. It may be fewer than `site::samples`: buckets saturate.
std::uint64_t sampled(const site& of) noexcept;

/// The depth in bytes that the fraction `q` (above 0, at most 1) of the samples stays within: the
/// upper bound of its bucket, at most the maximum. 0 when there are no samples.
std::uint64_t quantile(const site& of, double q) noexcept;

/// The confidence, 0 to 1, with which the deepest of `runs` runs exceeds the `p`-quantile:
/// 1 - p^runs. `p` is from 0 to 1.
double confidence(std::uint64_t runs, double p) noexcept;

/// The fewest runs whose deepest exceeds the `p`-quantile with this confidence: 299 for 0.99 at
/// 0.95. Both are above 0 and below 1; outside, the largest number.
std::uint64_t runs_needed(double p, double confidence) noexcept;

/// The highest quantile that the deepest of `runs` runs exceeds with this confidence; 0 without
/// runs.
double supported_quantile(std::uint64_t runs, double confidence) noexcept;

/// A use of the site was `depth` deep, in a pool of this limit; bytes.
void note_depth(site& of, std::uint64_t depth, std::uint64_t limit) noexcept;

/// The same of all uses that another look, or another pool, knows of.
void merge_depths(site& into, const site& more) noexcept;

/// The part of the limit that no use of the site has touched, 0 to 1; none when the limit is not
/// known. Of pools that differ the smallest part. Negative when the limit was passed.
std::optional<double> margin(const site& of) noexcept;

/// Below this a margin is marked, whatever was recommended: a signal's frame and an unwinder take
/// some kilobytes, which of usual sizes is about a tenth.
inline constexpr double narrow_margin = 0.1;
/// With fewer uses than this even a median says little.
inline constexpr std::uint64_t few_uses = 30;

/// `bytes` in whole `unit`s, upwards; saturates. `unit` is not 0.
std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) noexcept;

/// Sums that end at the largest number instead of starting again: a recording may hold any.
std::uint64_t add(std::uint64_t a, std::uint64_t b) noexcept;
std::uint64_t multiply(std::uint64_t a, std::uint64_t b) noexcept;

/// Whether anything ever ran there.
inline bool has_run(const site& of) noexcept {
  return of.uses != 0 || of.live != 0 || of.max != 0 || of.overflows != 0;
}

/// Adds what another look, or another pool, knows of the same site.
void merge(site& into, const site& more);

/// Bytes of live stacks that are resident although the stack above is not that deep: what a deeper
/// use before left there. Only of stacks whose depth is known.
std::uint64_t resident_beyond_depth(const snapshot& of) noexcept;

}  // namespace bast_stacks
