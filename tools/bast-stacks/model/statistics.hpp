// SPDX-License-Identifier: Apache-2.0
//
// Numbers that reporters compute from a snapshot, in one place, so that tables, pages and gates
// agree.
//
// Confidence is distribution-free: it assumes only that uses are independent and identically
// distributed. Then the deepest of n runs lies above the p-quantile unless all n lie below it,
// which has probability p^n.
#pragma once

#include <cstdint>
#include <optional>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// The number of depths in the histogram. It may be less than `site::samples`: buckets saturate.
std::uint64_t sampled(const site& of) noexcept;

/// The depth in bytes that the fraction `q` (above 0, at most 1) of the samples does not exceed:
/// the upper bound of its bucket, at most the maximum. 0 if there are no samples.
std::uint64_t quantile(const site& of, double q) noexcept;

/// The confidence, 0 to 1, with which the deepest of `runs` runs exceeds the `p`-quantile:
/// 1 - p^runs. `p` is from 0 to 1.
double confidence(std::uint64_t runs, double p) noexcept;

/// The fewest runs whose deepest exceeds the `p`-quantile with this confidence: 299 for 0.99 at
/// 0.95. The arguments are above 0 and below 1; for others the result is the largest number.
std::uint64_t runs_needed(double p, double confidence) noexcept;

/// The highest quantile that the deepest of `runs` runs exceeds with this confidence; 0 without
/// runs.
double supported_quantile(std::uint64_t runs, double confidence) noexcept;

/// Adds a use of the site with this depth, in a pool of this limit; bytes.
void note_depth(site& of, std::uint64_t depth, std::uint64_t limit) noexcept;

/// The same for all uses of `more`, from another snapshot or pool.
void merge_depths(site& into, const site& more) noexcept;

/// The part of the limit that no use of the site has touched, 0 to 1; none if the limit is not
/// known. The smallest part if pools differ. Negative if a use exceeded the limit.
std::optional<double> margin(const site& of) noexcept;

/// A margin below this is marked, whatever the recommendation: a signal's frame and an unwinder
/// take some kilobytes, about a tenth of usual sizes.
inline constexpr double narrow_margin = 0.1;
/// With fewer uses even a median means little.
inline constexpr std::uint64_t few_uses = 30;

/// `bytes` in whole `unit`s, rounded up; saturates. `unit` is not 0.
std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) noexcept;

/// Saturating sums: a recording may hold any number.
std::uint64_t add(std::uint64_t a, std::uint64_t b) noexcept;
std::uint64_t multiply(std::uint64_t a, std::uint64_t b) noexcept;

/// Whether the site has had a use.
inline bool has_run(const site& of) noexcept {
  return of.uses != 0 || of.live != 0 || of.max != 0 || of.overflows != 0;
}

/// Adds the data of the same site from another snapshot or pool.
void merge(site& into, const site& more);

/// Resident bytes of live stacks below their present depth, left by a deeper use. Only stacks of
/// known depth count.
std::uint64_t resident_beyond_depth(const snapshot& of) noexcept;

}  // namespace bast_stacks
