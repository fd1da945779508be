// SPDX-License-Identifier: Apache-2.0
//
// The outcome of a check as text, JUnit, SARIF and GitHub's workflow commands.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "model/clean_text.hpp"
#include "model/parse.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/check.hpp"
#include "show/honesty.hpp"
#include "show/markup.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

const char* word(budget_kind kind) {
  switch (kind) {
    case budget_kind::max: return "max";
    case budget_kind::p99: return "p99";
    case budget_kind::uses: return "uses";
  }
  return "?";
}

/// "max 14.2 KiB, 12 KiB allowed (stack.toml:3)".
std::string judgement(const budget_file& budgets, const verdict_of_budget& v) {
  const std::string where = fmt::format("{}:{}", budgets.name, budgets.budgets[v.budget].line);
  if (v.kind == budget_kind::uses)
    return fmt::format("{} seen, {} needed ({})", counted(v.seen, "use"), count_text(v.allowed),
                       where);
  // Exact where rounding would make both the same.
  const bool exact = size_text(v.seen) == size_text(v.allowed) && v.seen != v.allowed;
  return fmt::format("{} {}, {} allowed ({})", word(v.kind), size_text(v.seen, exact),
                     size_text(v.allowed, exact), where);
}

std::string plain_text(const snapshot& of, const budget_file& budgets,
                       const std::vector<verdict_of_budget>& verdicts) {
  std::string out;
  std::set<std::size_t> sites;
  std::uint64_t over = 0;
  for (const verdict_of_budget& v : verdicts) {
    sites.insert(v.site);
    if (v.kept) continue;
    ++over;
    const site& s = of.sites[v.site];
    out += fmt::format("over budget: {}: {}\n", site_name(s), judgement(budgets, v));
    if (v.kind == budget_kind::uses) continue;
    out += s.deepest.frames.empty() ? "  (no backtrace of it was recorded)\n"
                                    : backtrace_text(s.deepest, false);
  }
  out += fmt::format("{}, {}: {}", counted(budgets.budgets.size(), "budget"),
                     counted(sites.size(), "site"),
                     over == 0 ? "all within" : count_text(over) + " over");
  const auto bare = static_cast<std::uint64_t>(
      std::ranges::count_if(of.sites, [](const site& s) { return s.uses != 0; }));
  if (bare > sites.size())
    out += fmt::format("; {} without a budget", counted(bare - sites.size(), "site"));
  out += '\n';
  if (const std::string build = build_reservation(of); !build.empty())
    out += "not seen: " + build + '\n';
  return out;
}

/// As many lines as the backtrace has: XML text may hold them.
std::string markup_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) out += markup(take_line(text)) + '\n';
  return out;
}

std::string junit(const snapshot& of, const budget_file& budgets,
                  const std::vector<verdict_of_budget>& verdicts) {
  const auto failures = std::ranges::count(verdicts, false, &verdict_of_budget::kept);
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites>\n<testsuite name=\"bast-stacks\" tests=\"{}\" failures=\"{}\">\n",
      verdicts.size(), failures);
  for (const verdict_of_budget& v : verdicts) {
    const site& s = of.sites[v.site];
    out += fmt::format("<testcase classname=\"{}\" name=\"{} {}\"", markup(budgets.name),
                       markup(site_name(s)), word(v.kind));
    out += v.kept ? "/>\n"
                  : fmt::format(">\n<failure message=\"{}\">\n{}</failure>\n</testcase>\n",
                                markup(judgement(budgets, v)),
                                markup_lines(backtrace_text(s.deepest, false)));
  }
  return out + "</testsuite>\n</testsuites>\n";
}

nlohmann::ordered_json sarif_result(const snapshot& of, const budget_file& budgets,
                                    const verdict_of_budget& v) {
  const site& s = of.sites[v.site];
  const bool in_source = s.kind == bast::watch::site_kind::source;
  std::string message = fmt::format("{}: {}", site_name(s), judgement(budgets, v));
  if (v.kind != budget_kind::uses && !s.deepest.frames.empty())
    message += '\n' + backtrace_text(s.deepest, false);
  nlohmann::ordered_json place = {
      {"artifactLocation", {{"uri", clean_text(in_source ? s.where : budgets.name)}}}};
  place["region"] = {
      {"startLine", std::max(1U, in_source ? s.line : budgets.budgets[v.budget].line)}};
  nlohmann::ordered_json result = {{"ruleId", fmt::format("stack-{}", word(v.kind))},
                                   {"level", "error"}};
  result["message"] = {{"text", message}};
  result["locations"] = nlohmann::ordered_json::array({{{"physicalLocation", place}}});
  return result;
}

std::string sarif(const snapshot& of, const budget_file& budgets,
                  const std::vector<verdict_of_budget>& verdicts) {
  using nlohmann::ordered_json;
  const auto rule = [](const char* id, const char* text) -> ordered_json {
    return {{"id", id}, {"shortDescription", {{"text", text}}}};
  };
  ordered_json driver = {{"name", "bast-stacks"}};
  driver["rules"] = {rule("stack-max", "The deepest use of a spawn site is over its budget."),
                     rule("stack-p99", "The 99th percentile of a spawn site is over its budget."),
                     rule("stack-uses", "A spawn site ran too few times to prove its budget.")};
  ordered_json results = ordered_json::array();
  for (const verdict_of_budget& v : verdicts) {
    if (!v.kept) results.push_back(sarif_result(of, budgets, v));
  }
  ordered_json run;
  run["tool"] = {{"driver", driver}};
  run["results"] = results;
  ordered_json document = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                           {"version", "2.1.0"}};
  document["runs"] = ordered_json::array({run});
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

/// The escapes of GitHub's workflow commands; `property`: of a value before the "::".
std::string workflow(std::string_view text, bool property) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '%': out += "%25"; break;
      case '\r': out += "%0D"; break;
      case '\n': out += "%0A"; break;
      case ':': out += property ? "%3A" : ":"; break;
      case ',': out += property ? "%2C" : ","; break;
      default: out += c; break;
    }
  }
  return out;
}

std::string github(const snapshot& of, const budget_file& budgets,
                   const std::vector<verdict_of_budget>& verdicts) {
  std::string out;
  for (const verdict_of_budget& v : verdicts) {
    if (v.kept) continue;
    const site& s = of.sites[v.site];
    std::string message = fmt::format("{}: {}", site_name(s), judgement(budgets, v));
    if (v.kind != budget_kind::uses) message += '\n' + backtrace_text(s.deepest, false);
    const bool in_source = s.kind == bast::watch::site_kind::source;
    out +=
        fmt::format("::error file={},line={},title=stack over budget::{}\n",
                    workflow(clean_text(in_source ? s.where : budgets.name), true),
                    in_source ? s.line : budgets.budgets[v.budget].line, workflow(message, false));
  }
  return out;
}

}  // namespace

std::string check_text(const snapshot& of, const budget_file& budgets,
                       const std::vector<verdict_of_budget>& verdicts, check_format format) {
  switch (format) {
    case check_format::text: return plain_text(of, budgets, verdicts);
    case check_format::junit: return junit(of, budgets, verdicts);
    case check_format::sarif: return sarif(of, budgets, verdicts);
    case check_format::github: return github(of, budgets, verdicts);
  }
  return {};
}

}  // namespace bast_stacks
