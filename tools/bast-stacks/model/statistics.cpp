// SPDX-License-Identifier: Apache-2.0
#include "model/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

/// A limit, and the deepest use within it.
struct part {
  std::uint64_t depth = 0;
  std::uint64_t limit = 0;
  std::uint64_t window = 0;
};

part tightest_of(const site& of) noexcept {
  return {of.max_in_limit == 0 ? of.max : of.max_in_limit, of.limit, of.window};
}

/// The one with less margin; of equal ones the smaller. No limit counts as full margin.
const part& tighter(const part& a, const part& b) noexcept {
  __extension__ using wide = unsigned __int128;  // products of two sizes
  if (a.limit == 0 || b.limit == 0) return b.limit == 0 ? a : b;
  const wide used_of_a = wide{a.depth} * b.limit;
  const wide used_of_b = wide{b.depth} * a.limit;
  if (used_of_a != used_of_b) return used_of_a > used_of_b ? a : b;
  return b.limit < a.limit ? b : a;
}

void set_tightest(site& of, const part& tightest) noexcept {
  of.limit = tightest.limit;
  of.window = tightest.window;
  of.max_in_limit = tightest.depth == of.max ? 0 : tightest.depth;
}

}  // namespace

std::uint64_t add(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? largest : sum;
}

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? largest : product;
}

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) noexcept {
  const std::uint64_t rest = bytes % unit;
  return rest == 0 ? bytes : add(bytes, unit - rest);
}

std::uint64_t sampled(const site& of) noexcept {
  std::uint64_t sum = 0;
  for (const bucket& b : of.histogram) sum = add(sum, b.count);
  return sum;
}

std::uint64_t quantile(const site& of, double q) noexcept {
  const std::uint64_t total = sampled(of);
  if (total == 0) return 0;
  // The rank of the requested sample, from 1. Floating point is exact only up to 2^53.
  const double exact = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  const std::uint64_t rank = exact >= static_cast<double>(total)
                                 ? total
                                 : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact));
  std::uint64_t passed = 0;
  for (const bucket& b : of.histogram) {
    passed = add(passed, b.count);
    if (passed < rank) continue;
    if (BAST_STACKS_MUTANT(quantile_at_the_shallow_end)) return bast::watch::bucket_low(b.index);
    return std::min(bast::watch::bucket_high(b.index), of.max);
  }
  return of.max;
}

double confidence(std::uint64_t runs, double p) noexcept {
  if (runs == 0) return 0;
  // Keeps the digits of a p near 1.
  return -std::expm1(static_cast<double>(runs) * std::log(std::clamp(p, 0.0, 1.0)));
}

std::uint64_t runs_needed(double p, double wanted) noexcept {
  if (!(p > 0 && p < 1 && wanted > 0 && wanted < 1)) return largest;
  double runs = std::ceil(std::log1p(-wanted) / std::log(p));
  if (BAST_STACKS_MUTANT(one_run_too_few)) runs -= 1;
  return runs < 1e18 ? std::max<std::uint64_t>(1, static_cast<std::uint64_t>(runs)) : largest;
}

double supported_quantile(std::uint64_t runs, double wanted) noexcept {
  if (runs == 0) return 0;
  return std::exp(std::log1p(-std::clamp(wanted, 0.0, 1.0)) / static_cast<double>(runs));
}

std::optional<double> margin(const site& of) noexcept {
  if (of.limit == 0) return std::nullopt;
  return 1 - static_cast<double>(tightest_of(of).depth) / static_cast<double>(of.limit);
}

void note_depth(site& of, std::uint64_t depth, std::uint64_t limit) noexcept {
  part tightest = tightest_of(of);
  if (limit == of.limit) {
    tightest.depth = std::max(tightest.depth, depth);
  } else {
    tightest = tighter(tightest, {.depth = depth, .limit = limit, .window = of.window});
  }
  if (depth > of.max) {
    of.max = depth;
    of.max_age_ns = 0;
  }
  set_tightest(of, tightest);
}

void merge_depths(site& into, const site& more) noexcept {
  const part tightest = tighter(tightest_of(into), tightest_of(more));
  into.max = std::max(into.max, more.max);
  set_tightest(into, tightest);
}

void merge(site& into, const site& more) {
  into.uses = add(into.uses, more.uses);
  into.pending = add(into.pending, more.pending);
  into.samples = add(into.samples, more.samples);
  into.grows = add(into.grows, more.grows);
  into.live = add(into.live, more.live);
  into.held = add(into.held, more.held);
  into.overflows = add(into.overflows, more.overflows);
  if (more.max > into.max) into.max_age_ns = more.max_age_ns;
  merge_depths(into, more);
  if (more.deepest.depth > into.deepest.depth) into.deepest = more.deepest;
  if (more.raw.depth > into.raw.depth) into.raw = more.raw;
  std::vector<bucket> sum;
  auto a = into.histogram.cbegin();
  auto b = more.histogram.cbegin();
  while (a != into.histogram.cend() || b != more.histogram.cend()) {
    if (b == more.histogram.cend() || (a != into.histogram.cend() && a->index < b->index)) {
      sum.push_back(*a++);
    } else if (a == into.histogram.cend() || b->index < a->index) {
      sum.push_back(*b++);
    } else {
      sum.push_back({a->index, add(a->count, b->count)});
      ++a;
      ++b;
    }
  }
  into.histogram = std::move(sum);
  into.pools.insert(into.pools.end(), more.pools.begin(), more.pools.end());
  std::ranges::sort(into.pools);
  const auto repeated = std::ranges::unique(into.pools);
  into.pools.erase(repeated.begin(), repeated.end());
}

std::uint64_t resident_beyond_depth(const snapshot& of) noexcept {
  if (of.page_bytes == 0) return 0;
  std::uint64_t sum = 0;
  for (const live_stack& s : of.stacks) {
    const std::uint64_t in_use = round_up(s.depth, of.page_bytes);
    if (s.scanned && s.resident > in_use) sum = add(sum, s.resident - in_use);
  }
  return sum;
}

}  // namespace bast_stacks
