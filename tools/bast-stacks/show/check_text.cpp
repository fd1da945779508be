// SPDX-License-Identifier: Apache-2.0
//
// The result of a check as text, JUnit, SARIF and GitHub's workflow commands.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "model/clean_text.hpp"
#include "model/parse.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/caveats.hpp"
#include "show/check.hpp"
#include "show/markup.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

const char* word(budget_kind kind) {
  switch (kind) {
    case budget_kind::max: return "max";
    case budget_kind::p99: return "p99";
    case budget_kind::uses: return "uses";
    case budget_kind::overflow: return "overflow";
    case budget_kind::unmatched: return "unmatched";
  }
  return "?";
}

/// The line of a verdict in the file of budgets.
std::uint32_t line_of(const budget_file& budgets, const verdict_of_budget& v) {
  return v.budget.has_value() ? budgets.budgets[*v.budget].line : 1;
}

/// The subject: a site, or the budget that matches none.
std::string subject(const snapshot& of, const budget_file& budgets, const verdict_of_budget& v) {
  if (v.site.has_value()) return site_name(of.sites[*v.site]);
  return fmt::format("\"{}\"", clean_text(budgets.budgets[*v.budget].site));
}

/// The backtrace of the deepest use, if there is one.
std::string deepest_text(const snapshot& of, const verdict_of_budget& v) {
  if (!v.site.has_value() || v.kind == budget_kind::uses) return {};
  return backtrace_text(of.sites[*v.site].deepest, false);
}

/// The file and line for a reviewer: of the site, if that is in a source.
struct source_line {
  std::string file;
  std::uint32_t line = 1;
};
source_line source_of(const snapshot& of, const budget_file& budgets, const verdict_of_budget& v) {
  if (v.site.has_value() && of.sites[*v.site].kind == bast::watch::site_kind::source)
    return {clean_text(of.sites[*v.site].where), std::max(1U, of.sites[*v.site].line)};
  return {clean_text(budgets.name), std::max(1U, line_of(budgets, v))};
}

/// "max 14.2 KiB, 12 KiB allowed (stack.toml:3)".
std::string judgement(const budget_file& budgets, const verdict_of_budget& v) {
  const std::string where = fmt::format("{}:{}", budgets.name, line_of(budgets, v));
  if (v.kind == budget_kind::unmatched) return fmt::format("matches no site ({})", where);
  if (v.kind == budget_kind::overflow)
    return fmt::format("{} overflowed: more than its stack could have", counted(v.seen, "use"));
  if (v.kind == budget_kind::uses)
    return fmt::format("{} seen, {} needed ({})", counted(v.seen, "use"), count_text(v.allowed),
                       where);
  // Exact if rounding would make both equal.
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
    if (v.site.has_value() && v.budget.has_value()) sites.insert(*v.site);
    if (v.kept) continue;
    ++over;
    out += fmt::format("{}: {}: {}\n",
                       v.kind == budget_kind::overflow    ? "!! overflowed"
                       : v.kind == budget_kind::unmatched ? "no such site"
                                                          : "over budget",
                       subject(of, budgets, v), judgement(budgets, v));
    if (!v.site.has_value() || v.kind == budget_kind::uses) continue;
    const std::string deepest = deepest_text(of, v);
    out += deepest.empty() ? "  (no backtrace of it was recorded)\n" : deepest;
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

/// With all lines of the backtrace, which XML text allows.
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
    out += fmt::format("<testcase classname=\"{}\" name=\"{} {}\"", markup(budgets.name),
                       markup(subject(of, budgets, v)), word(v.kind));
    out += v.kept ? "/>\n"
                  : fmt::format(">\n<failure message=\"{}\">\n{}</failure>\n</testcase>\n",
                                markup(judgement(budgets, v)), markup_lines(deepest_text(of, v)));
  }
  return out + "</testsuite>\n</testsuites>\n";
}

/// A path as a URI reference, with special characters escaped.
std::string uri_of(std::string_view path) {
  constexpr std::string_view plain = "-._~/!$&'()*+,;=@";  // RFC 3986: pchar without ':', and '/'
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    if (letter || (byte >= '0' && byte <= '9') || plain.find(c) != plain.npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

nlohmann::ordered_json sarif_result(const snapshot& of, const budget_file& budgets,
                                    const verdict_of_budget& v) {
  std::string message = fmt::format("{}: {}", subject(of, budgets, v), judgement(budgets, v));
  if (const std::string deepest = deepest_text(of, v); !deepest.empty()) message += '\n' + deepest;
  const auto [file, line] = source_of(of, budgets, v);
  nlohmann::ordered_json place = {{"artifactLocation", {{"uri", uri_of(file)}}}};
  place["region"] = {{"startLine", line}};
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
                     rule("stack-uses", "A spawn site ran too few times to prove its budget."),
                     rule("stack-overflow", "A use of a spawn site needed more than its stack."),
                     rule("stack-unmatched", "A budget matches no spawn site.")};
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

/// The escapes of GitHub's workflow commands; `property`: for a value before the "::".
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
    std::string message = fmt::format("{}: {}", subject(of, budgets, v), judgement(budgets, v));
    if (v.site.has_value() && v.kind != budget_kind::uses) message += '\n' + deepest_text(of, v);
    const auto [file, line] = source_of(of, budgets, v);
    out += fmt::format("::error file={},line={},title=stack over budget::{}\n",
                       workflow(file, true), line, workflow(message, false));
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
