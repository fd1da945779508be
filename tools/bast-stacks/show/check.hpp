// SPDX-License-Identifier: Apache-2.0
//
// The gate: compares a snapshot with budgets. Reports each excess with its backtrace, in formats
// for people, CI servers and code review.
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
  overflow,   // a use needed more than its limit: always a failure
  unmatched,  // a budget that matches no site: renaming a file must not disable a gate
};

/// One budget applied to one site that it matches.
struct verdict_of_budget {
  std::optional<std::size_t> budget = {};  // index in budget_file::budgets; none: an overflow
  std::optional<std::size_t> site = {};    // index in snapshot::sites; none: unmatched
  budget_kind kind{};
  std::uint64_t seen = 0;  // bytes, or uses
  std::uint64_t allowed = 0;
  bool kept = false;
};

/// All pairs of a budget and a site, by budget and site; then the sites that overflowed, with or
/// without a budget.
std::vector<verdict_of_budget> check(const snapshot& of, const budget_file& budgets);

enum class check_format { text, junit, sarif, github };

std::string check_text(const snapshot& of, const budget_file& budgets,
                       const std::vector<verdict_of_budget>& verdicts, check_format format);

/// The budgets with each size set to the observed value plus `margin` (0.1: a tenth), rounded up to
/// a KiB; every site without a budget gets one. `uses_min` stays.
budget_file updated(const snapshot& of, const budget_file& budgets, double margin);

}  // namespace bast_stacks
