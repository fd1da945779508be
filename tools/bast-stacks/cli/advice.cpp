// SPDX-License-Identifier: Apache-2.0
#include "cli/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <utility>

#include "model/clean_text.hpp"
#include "model/text.hpp"
#include "show/budget.hpp"
#include "show/glob.hpp"

namespace bast_stacks {
namespace {

/// "parse.cpp:*=40 KiB": the bound of each site that it matches.
std::expected<void, problem> add_bound(const std::string& bound, const snapshot& of,
                                       recommend_options& options) {
  const std::size_t equals = bound.rfind('=');
  const auto size = equals == bound.npos ? std::unexpected(std::string("expected GLOB=SIZE"))
                                         : parse_size(std::string_view(bound).substr(equals + 1));
  if (!size.has_value())
    return std::unexpected(problem{2, fmt::format("--bound {}: {}", bound, size.error()), {}});
  bool matched = false;
  options.static_bounds.resize(of.sites.size());
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    if (!site_matches(std::string_view(bound).substr(0, equals), of.sites[i])) continue;
    options.static_bounds[i] = std::max(options.static_bounds[i].value_or(0), *size);
    matched = true;
  }
  if (matched) return {};
  return std::unexpected(problem{3, fmt::format("--bound {}: matches no site", bound),
                                 "bast-stacks report --all, which lists the sites"});
}

/// Whether the process may have run this build; true if one of them has no build id.
bool may_have_run(const snapshot& of, const std::string& build_id) {
  const auto& modules = of.modules;
  if (build_id.empty() || std::ranges::any_of(modules, &std::string::empty, &module::build_id))
    return true;
  return modules.empty() ||
         std::ranges::find(modules, build_id, &module::build_id) != modules.end();
}

std::expected<code_findings, problem> analyse_code(const snapshot& of, const arguments& with) {
  auto report = code_that_ran(of, with);
  if (!report.has_value()) return std::unexpected(std::move(report.error()));
  code_findings found{.file = with.elf, .sites = {}, .notes = std::move(report->notes)};
  // `join` notes roots that were not seen; here the sites matter.
  join(*report, of);
  std::size_t removed = 0;
  for (const static_bound& each : report->bounds) {
    if (!each.observations.empty()) removed += each.removed;
  }
  if (removed != 0) {
    found.notes.push_back(fmt::format("{} removed by the shipped annotations: {}",
                                      counted(removed, "reason"), report->shipped));
  }
  found.sites = bounds_of_sites(*report, of.sites.size());
  return found;
}

}  // namespace

recommend_options confidence_of(const arguments& with) {
  // The double nearest to 99.9 divided by 100 is not the one nearest to 0.999, and JSON would show
  // it.
  const auto part = [](double percent) {
    const double rounded = std::round(percent * 1e10) / 1e12;
    return rounded < 1 ? rounded : percent / 100;
  };
  recommend_options options;
  options.confidence = part(with.confidence);
  if (with.quantile.has_value()) options.quantile = part(*with.quantile);
  options.exact_bytes = with.exact_bytes;
  return options;
}

std::expected<recommend_options, problem> recommend_options_of(const snapshot& of,
                                                               const arguments& with) {
  recommend_options options = confidence_of(with);
  for (const std::string& bound : with.bounds) {
    if (auto added = add_bound(bound, of, options); !added.has_value())
      return std::unexpected(std::move(added.error()));
  }
  if (with.elf.empty()) return options;
  auto code = analyse_code(of, with);
  if (!code.has_value()) return std::unexpected(std::move(code.error()));
  options.code = std::move(*code);
  return options;
}

static_options static_options_of(const arguments& with) {
  return {.program = with.elf,
          .roots = with.roots,
          .annotations = with.annotations,
          .stack_usage = with.stack_usage,
          .shipped = with.no_default_annotations ? std::string() : shipped_annotations()};
}

std::expected<static_report, problem> code_that_ran(const snapshot& of, const arguments& with) {
  auto report = analyse(static_options_of(with));
  if (!report.has_value() || may_have_run(of, report->build_id)) return report;
  return std::unexpected(
      problem{3,
              fmt::format("{} is not what ran: its build id {} is of no file of the process",
                          clean_text(with.elf), report->build_id),
              "give the file that ran"});
}

std::string shipped_annotations() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const auto file = program.parent_path() / BAST_STACKS_SHARED / "annotations";
  return file.lexically_normal().string();
}

}  // namespace bast_stacks
