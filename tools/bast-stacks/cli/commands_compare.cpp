// SPDX-License-Identifier: Apache-2.0
//
// Commands that compare: diff, check.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/stream.hpp"
#include "model/clean_text.hpp"
#include "model/text.hpp"
#include "show/check.hpp"
#include "show/diff.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t budget_bytes_max = 16 << 20;

std::expected<budget_file, problem> read_budgets(const arguments& with) {
  std::error_code ignored;
  if (with.update && !std::filesystem::exists(with.budget, ignored))
    return budget_file{with.budget, {}, {}};
  const auto text = read_all(with.budget, budget_bytes_max);
  if (!text.has_value()) {
    problem why = text.error();
    why.remedy = "bast-stacks check --update, which writes a first one";
    return std::unexpected(std::move(why));
  }
  return parse_budgets(*text, with.budget);
}

check_format format_of(const arguments& with) {
  return with.format == "junit"    ? check_format::junit
         : with.format == "sarif"  ? check_format::sarif
         : with.format == "github" ? check_format::github
                                   : check_format::text;
}

}  // namespace

outcome diff_command(const arguments& with) {
  const auto before = look_at(with.source, with);
  if (!before.has_value()) return std::unexpected(before.error());
  const auto after = look_at(with.other, with);
  if (!after.has_value()) return std::unexpected(after.error());
  const bool json = wants_json(with);
  const diff_options options{.all = with.all, .exact_bytes = with.exact_bytes};
  const outcome written =
      write_output(with, json ? diff_json(*before, *after) : diff_text(*before, *after, options));
  if (!written.has_value()) return written;
  return with.exit_code && grew(compare(*before, *after)) ? 1 : 0;
}

outcome check_command(const arguments& with) {
  const auto budgets = read_budgets(with);
  if (!budgets.has_value()) return std::unexpected(budgets.error());
  const auto seen = look_at(with.source, with);
  if (!seen.has_value()) return std::unexpected(seen.error());
  if (with.update) {
    const auto overflowed =
        std::ranges::find_if(seen->sites, [](const site& s) { return s.overflows != 0; });
    if (overflowed != seen->sites.end()) {
      return std::unexpected(problem{
          3, fmt::format("{} overflowed: how much it needs is not known", site_name(*overflowed)),
          "run it with a larger limit, and record that"});
    }
    const budget_file next = updated(*seen, *budgets, with.margin / 100);
    const auto written = replace_file(with.budget, budgets_text(next));
    if (!written.has_value()) return std::unexpected(written.error());
    fmt::print(stderr, "bast-stacks: {}: {}\n", clean_text(with.budget),
               counted(next.budgets.size(), "budget"));
    return 0;
  }
  const auto verdicts = check(*seen, *budgets);
  const outcome written =
      write_output(with, check_text(*seen, *budgets, verdicts, format_of(with)));
  if (!written.has_value()) return written;
  // The output contains everything; a gate without a match is a mistake and not a finding.
  for (const verdict_of_budget& v : verdicts) {
    if (v.kind != budget_kind::unmatched) continue;
    const budget& b = budgets->budgets[*v.budget];
    return std::unexpected(problem{3,
                                   fmt::format("{}:{}:{}: \"{}\" matches no site", budgets->name,
                                               b.line, b.column, clean_text(b.site)),
                                   "bast-stacks report --all, which lists the sites"});
  }
  const bool over = std::ranges::any_of(verdicts, [](const auto& v) { return !v.kept; });
  return over ? 1 : 0;
}

}  // namespace bast_stacks
