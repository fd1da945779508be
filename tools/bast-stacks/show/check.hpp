// SPDX-License-Identifier: Apache-2.0
//
// The gate: a snapshot against budgets. What is over its budget is named with the backtrace that
// went there, in the words that a person, a CI server or a code review understands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/snapshot.hpp"
#include "show/budget.hpp"

namespace bast_stacks {

enum class budget_kind {
  max,
  p99,
  uses,
  overflow,   // a use needed more than its stack could have: never kept, whatever was allowed
  unmatched,  // a budget that matches no site: a renamed file must not switch a gate off
};

/// One budget applied to one site that it matches.
struct verdict_of_budget {
  std::optional<std::size_t> budget = {};  // index in budget_file::budgets; none: of an overflow
  std::optional<std::size_t> site = {};    // index in snapshot::sites; none: unmatched
  budget_kind kind{};
  std::uint64_t seen = 0;  // bytes, or uses
  std::uint64_t allowed = 0;
  bool kept = false;
};

/// All pairs of a budget and a site, by budget and site; behind them the sites that overflowed,
/// with a budget or without.
std::vector<verdict_of_budget> check(const snapshot& of, const budget_file& budgets);

enum class check_format { text, junit, sarif, github };

std::string check_text(const snapshot& of, const budget_file& budgets,
                       const std::vector<verdict_of_budget>& verdicts, check_format format);

/// The budgets with each size set to what was seen and `margin` (0.1: a tenth) more, up to the next
/// KiB; every site without a budget gets one. `uses_min` stays.
budget_file updated(const snapshot& of, const budget_file& budgets, double margin);

}  // namespace bast_stacks
