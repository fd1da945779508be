// SPDX-License-Identifier: Apache-2.0
//
// Commands that show a snapshot: report, recommend, flame, export.
#include <fmt/format.h>

#include "cli/advice.hpp"
#include "cli/commands.hpp"
#include "draw/flame.hpp"
#include "draw/html.hpp"
#include "model/recording.hpp"
#include "show/export.hpp"
#include "show/glob.hpp"
#include "show/recommend.hpp"
#include "show/report.hpp"

namespace bast_stacks {
namespace {

std::unexpected<problem> no_site(const arguments& with) {
  return std::unexpected(problem{3, fmt::format("\"{}\" matches no site", with.site),
                                 "bast-stacks report --all, which lists the sites"});
}

report_options report_options_of(const arguments& with) {
  report_options options;
  options.by = with.by == "stack"  ? report_rows::stacks
               : with.by == "pool" ? report_rows::pools
                                   : report_rows::sites;
  options.sort = with.sort == "max"     ? report_order::max
                 : with.sort == "uses"  ? report_order::uses
                 : with.sort == "waste" ? report_order::waste
                 : with.sort == "site"  ? report_order::site
                                        : report_order::margin;
  options.top = with.top;
  options.all = with.all;
  options.exact_bytes = with.exact_bytes;
  options.colour = wants_colour(with);
  return options;
}

}  // namespace

outcome report_command(const arguments& with) {
  const auto seen = look_at(with.source, with);
  if (!seen.has_value()) return std::unexpected(seen.error());
  if (wants_json(with)) return write_output(with, to_json(*seen));
  report_options options = report_options_of(with);
  const auto recommended = recommend_options_of(*seen, with);
  if (!recommended.has_value()) return std::unexpected(recommended.error());
  options.recommend = *recommended;
  if (with.site.empty()) return write_output(with, report_text(*seen, options));
  const std::string text = explain_text(*seen, with.site, options);
  if (text.empty()) return no_site(with);
  return write_output(with, text);
}

outcome recommend_command(const arguments& with) {
  const auto seen = look_at(with.source, with);
  if (!seen.has_value()) return std::unexpected(seen.error());
  const auto options = recommend_options_of(*seen, with);
  if (!options.has_value()) return std::unexpected(options.error());
  return write_output(
      with, wants_json(with) ? recommend_json(*seen, *options) : recommend_text(*seen, *options));
}

outcome flame_command(const arguments& with) {
  auto seen = look_at(with.source, with);
  if (!seen.has_value()) return std::unexpected(seen.error());
  if (!with.site.empty()) {
    std::erase_if(seen->sites, [&](const site& s) { return !site_matches(with.site, s); });
    // Live stacks refer to sites by index, and no picture draws them.
    seen->stacks.clear();
    if (seen->sites.empty()) return no_site(with);
  }
  if (with.format == "folded") return write_output(with, folded(*seen));
  if (with.format == "speedscope") return write_output(with, speedscope(*seen));
  return write_output(with, flame_svg(*seen));
}

outcome export_command(const arguments& with) {
  if (with.asks_for_advice && with.format != "html") {
    return std::unexpected(
        problem{2,
                "only --format html has recommendations, which --quantile, --confidence, --bound "
                "and --static are for",
                "bast-stacks recommend"});
  }
  const auto seen = look_at(with.source, with);
  if (!seen.has_value()) return std::unexpected(seen.error());
  if (with.format == "csv") return write_output(with, export_csv(*seen));
  if (with.format == "prometheus") return write_output(with, export_prometheus(*seen));
  if (with.format == "folded") return write_output(with, folded(*seen));
  if (with.format == "speedscope") return write_output(with, speedscope(*seen));
  if (with.format == "html") {
    const auto options = recommend_options_of(*seen, with);
    if (!options.has_value()) return std::unexpected(options.error());
    return write_output(with, html_page(*seen, {.recommend = *options}));
  }
  return write_output(with, to_json(*seen));
}

}  // namespace bast_stacks
