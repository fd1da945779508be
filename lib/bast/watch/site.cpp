// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/site.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bast/os.hpp"
#include "bast/watch/writer.hpp"

namespace bast::watch {
namespace {

void add_saturating(std::uint32_t& to, std::uint32_t more) noexcept {
  constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  to = more > most - to ? most : to + more;
}

void raise_max(site_entry& entry, std::uint64_t depth) noexcept {
  if (depth <= entry.max) return;
  entry.max = depth;
  entry.max_at_ns = static_cast<std::uint64_t>(os::monotonic_ns());
}

}  // namespace

void add(site_entry& entry, const reading& what) noexcept {
  const writing now(entry.sequence);
  entry.uses += what.uses;
  entry.grows += what.grows;
  if (!what.measured) return;
  raise_max(entry, what.depth);
  if (!what.is_sample) return;
  ++entry.samples;
  add_saturating(entry.histogram[bucket_of(what.depth)], 1);
}

void hold(site_entry& entry) noexcept {
  const writing now(entry.sequence);
  ++entry.held;
  entry.held_max = std::max(entry.held_max, entry.held);
}

void let_go(site_entry& entry) noexcept {
  const writing now(entry.sequence);
  --entry.held;
}

// Does not use `writing`, because it may have interrupted one.
void note_overflow(site_entry& entry) noexcept {
  if (BAST_MUTANT(overflow_not_counted)) return;
  put(entry.overflows, entry.overflows + 1);
}

std::uint64_t quantile(const site_entry& entry, double q) noexcept {
  if (entry.samples == 0) return 0;
  // The rank of the q-quantile among the samples: the smallest r with r >= q * samples.
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(entry.samples)));
  std::uint64_t seen = 0;
  for (std::uint32_t bucket = 0; bucket < bucket_count; ++bucket) {
    seen += entry.histogram[bucket];
    if (seen >= rank) return std::min(bucket_high(bucket), entry.max);
  }
  return entry.max;
}

void merge(site_entry& to, const site_entry& from) noexcept {
  {
    const writing now(to.sequence);
    to.limit = from.limit;
    to.window = from.window;
    to.uses = BAST_MUTANT(dead_pools_overwrite) ? from.uses : to.uses + from.uses;
    to.samples += from.samples;
    to.grows += from.grows;
    to.held_max = std::max(to.held_max, from.held_max);
    to.overflows += from.overflows;
    if (from.max > to.max) {
      to.max = from.max;
      to.max_at_ns = from.max_at_ns;
    }
    for (std::uint32_t i = 0; i < bucket_count; ++i) {
      add_saturating(to.histogram[i], from.histogram[i]);
    }
  }
  if (from.deepest.depth <= to.deepest.depth) return;
  const writing now(to.deepest.sequence);
  const std::uint32_t sequence = to.deepest.sequence;
  to.deepest = from.deepest;
  to.deepest.sequence = sequence;
}

}  // namespace bast::watch
