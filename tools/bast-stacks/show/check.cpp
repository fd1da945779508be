// SPDX-License-Identifier: Apache-2.0
#include "show/check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/clean_text.hpp"
#include "model/mutant.hpp"
#include "model/statistics.hpp"
#include "show/glob.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

void apply(const budget& b, const site& s, verdict_of_budget one,
           std::vector<verdict_of_budget>& into) {
  const auto judge = [&](budget_kind kind, std::uint64_t seen, std::uint64_t allowed, bool kept) {
    one.kind = kind;
    one.seen = seen;
    one.allowed = allowed;
    one.kept = kept;
    into.push_back(one);
  };
  if (b.max.has_value()) {
    const std::uint64_t over = BAST_STACKS_MUTANT(one_byte_over_is_kept) ? 1 : 0;
    judge(budget_kind::max, s.max, *b.max, s.max <= add(*b.max, over));
  }
  if (b.p99.has_value()) {
    const std::uint64_t seen = quantile(s, 0.99);
    judge(budget_kind::p99, seen, *b.p99, seen <= *b.p99);
  }
  if (b.uses_min.has_value()) judge(budget_kind::uses, s.uses, *b.uses_min, s.uses >= *b.uses_min);
}

std::uint64_t with_margin(std::uint64_t seen, double margin) {
  const double more = std::min(static_cast<double>(seen) * margin, 0x1p62);
  return round_up(add(seen, static_cast<std::uint64_t>(more)), 1024);
}

}  // namespace

std::vector<verdict_of_budget> check(const snapshot& of, const budget_file& budgets) {
  std::vector<verdict_of_budget> result;
  for (std::size_t i = 0; i < budgets.budgets.size(); ++i) {
    const budget& b = budgets.budgets[i];
    bool matched = false;
    for (std::size_t j = 0; j < of.sites.size(); ++j) {
      if (!site_matches(b.site, of.sites[j])) continue;
      matched = true;
      apply(b, of.sites[j], {.budget = i, .site = j}, result);
    }
    if (!matched) result.push_back({.budget = i, .kind = budget_kind::unmatched});
  }
  for (std::size_t j = 0; j < of.sites.size(); ++j) {
    if (of.sites[j].overflows == 0 || BAST_STACKS_MUTANT(overflow_is_within_budget)) continue;
    result.push_back({.site = j, .kind = budget_kind::overflow, .seen = of.sites[j].overflows});
  }
  return result;
}

budget_file updated(const snapshot& of, const budget_file& budgets, double margin) {
  budget_file result = budgets;
  std::vector<bool> covered(of.sites.size());
  const auto set = [&](budget& b) {
    std::uint64_t max = 0;
    std::uint64_t p99 = 0;
    bool matched = false;
    for (std::size_t j = 0; j < of.sites.size(); ++j) {
      if (!site_matches(b.site, of.sites[j])) continue;
      covered[j] = true;
      matched = true;
      max = std::max(max, of.sites[j].max);
      p99 = std::max(p99, quantile(of.sites[j], 0.99));
    }
    if (!matched) return;
    if (b.max.has_value()) b.max = with_margin(max, margin);
    if (b.p99.has_value()) b.p99 = with_margin(p99, margin);
  };
  for (budget& b : result.budgets) set(b);
  const std::vector<std::string> names = short_site_names(of.sites);
  for (std::size_t j = 0; j < of.sites.size(); ++j) {
    if (covered[j] || !has_run(of.sites[j])) continue;
    budget b;
    b.site = glob_escape(names[j]);
    b.max = 0;
    set(b);
    result.budgets.push_back(std::move(b));
  }
  return result;
}

}  // namespace bast_stacks
