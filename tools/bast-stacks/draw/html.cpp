// SPDX-License-Identifier: Apache-2.0
#include "draw/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "draw/flame.hpp"
#include "draw/histogram.hpp"
#include "draw/html_assets.hpp"
#include "draw/html_site.hpp"
#include "model/clean_text.hpp"
#include "model/parse.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/caveats.hpp"
#include "show/markup.hpp"
#include "show/names.hpp"
#include "show/recommend.hpp"
#include "show/report.hpp"

namespace bast_stacks {

namespace {

using namespace draw;

/// A margin below this gets a softer mark than a narrow one.
constexpr double tight_margin = 0.25;

class page {
 public:
  page(const snapshot& of, const html_options& options)
      : of_(of),
        options_(options),
        names_(short_site_names(of.sites)),
        modules_(flame_modules(of)),
        advice_(bast_stacks::recommend(of, options.recommend)),
        order_(of.sites.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::sort(order_, {}, [&](std::size_t i) { return std::pair(margin_or_whole(i), i); });
  }

  std::string html() {
    head();
    tiles();
    table();
    recommendation();
    details();
    not_seen();
    body_.append("<script>")
        .append(page_script)
        .append(flame_script())
        .append("</script>\n</body>\n</html>\n");
    return std::move(body_);
  }

 private:
  template <class... Values>
  void put(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(body_), format, std::forward<Values>(values)...);
  }

  /// Sites without a limit or a use count as full margin.
  double margin_or_whole(std::size_t i) const { return margin(of_.sites[i]).value_or(1); }

  std::string heading() const {
    const std::string program = file_name(of_.program);
    return program.empty() ? std::string("Stacks") : "Stacks of " + program;
  }

  /// Text as it is, line by line.
  void preformatted(std::string_view text) {
    put("<pre>");
    while (!text.empty()) body_ += markup(take_line(text)) + '\n';
    put("</pre>\n");
  }

  void recommendation() {
    if (of_.sites.empty()) return;
    put("<h2>Recommendation</h2>\n");
    preformatted(options_.recommendation.empty() ? recommend_text(of_, options_.recommend)
                                                 : options_.recommendation);
  }

  std::string verdict_of(std::size_t i) const {
    return advice_.sites.empty() ? std::string() : verdict_text(advice_.sites[i]);
  }

  void head() {
    const std::string name = markup(heading());
    body_ +=
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    put("<title>{}</title>\n<style>", name);
    body_.append(page_style).append(histogram_style()).append(flame_style());
    body_ +=
        "</style>\n</head>\n<body>\n<svg class=\"bast-flame\" width=\"0\" height=\"0\" "
        "aria-hidden=\"true\" "
        "style=\"position:absolute\">" +
        flame_definitions() + "</svg>\n";
    put("<header>\n<h1>{}</h1>\n<p class=\"soft\">{}</p>\n</header>\n<main>\n", name,
        markup(title_of(of_)));
  }

  void tile(std::string_view name, const std::string& value, const std::string& note) {
    put("<div><dt>{}</dt><dd>{}</dd><dd class=\"note\">{}</dd></div>\n", name, value, note);
  }

  void tiles() {
    std::uint64_t live = 0;
    std::uint64_t uses = 0;
    std::uint64_t samples = 0;
    std::uint64_t space = 0;
    std::uint64_t untouched = 0;
    for (const site& each : of_.sites) {
      live = add(live, each.live);
      uses = add(uses, each.uses);
      samples = add(samples, each.samples);
      space = add(space, multiply(each.held, each.limit));
      const std::uint64_t beyond = each.limit > each.max ? each.limit - each.max : 0;
      untouched = add(untouched, multiply(each.held, beyond));
    }
    put("<dl class=\"tiles\">\n");
    const auto worst = std::ranges::find_if(
        order_, [&](std::size_t i) { return of_.sites[i].uses != 0 && margin(of_.sites[i]); });
    if (worst != order_.end()) {
      const site& its = of_.sites[*worst];
      tile("smallest margin", percent_text(margin(its).value_or(1)),
           fmt::format("{}: {} of {}", markup(names_[*worst]), size_text(its.max),
                       size_text(its.limit)));
    }
    tile("sites", count_text(of_.sites.size()),
         of_.pools.empty() ? "of pools that are gone" : "in " + counted(of_.pools.size(), "pool"));
    tile("live stacks", count_text(live), "in use at that moment");
    tile("uses", count_text(uses), count_text(samples) + " of them in the histograms");
    tile("address space", size_text(space), "stacks in use or kept, times their limits");
    tile("beyond the deepest", size_text(untouched),
         (space == 0 ? "0 %"
                     : percent_text(static_cast<double>(untouched) / static_cast<double>(space))) +
             " of it, which no use ever reached");
    put("</dl>\n");
  }

  void column(std::string_view name, std::string_view meaning, bool text = false) {
    put("<th scope=\"col\"{} title=\"{}\">{}</th>",
        text ? " class=\"text\"" : " data-first=\"descending\"", meaning, name);
  }

  void table() {
    put("<h2 id=\"sites-title\">Sites</h2>\n<p class=\"soft\">A site is a place that starts "
        "coroutines. Its name leads to its details.</p>\n");
    put("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"sites-title\">\n"
        "<table class=\"sortable\" id=\"sites\">\n<thead><tr>");
    column("site", "file and line, or label", true);
    column("uses", "stacks that it has used");
    column("live", "stacks that it uses at this moment");
    column("p50", "half of the uses stayed within this");
    column("p99", "99 of 100 uses stayed within this");
    column("max", "the deepest use");
    column("size", "limit of its pool");
    put("<th scope=\"col\" aria-sort=\"ascending\" title=\"part of the size that no use has "
        "touched\">margin</th>");
    column("recommended", "what the size should be", true);
    put("</tr></thead>\n<tbody>\n");
    std::size_t rank = 0;
    for (const std::size_t i : order_) row(i, rank++ < options_.details_max);
    put("</tbody>\n</table>\n</div>\n");
    if (of_.sites.empty()) put("<p>No site has used a stack.</p>\n");
  }

  void bytes_cell(std::uint64_t bytes, bool known) {
    if (known)
      put("<td data-value=\"{0}\" title=\"{0} bytes\">{1}</td>", bytes, size_text(bytes));
    else
      put("<td data-value=\"-1\">-</td>");
  }

  void row(std::size_t i, bool linked) {
    const site& its = of_.sites[i];
    const double part = margin_or_whole(i);
    const bool measured = its.uses != 0;
    put("<tr{}><td class=\"name code\" title=\"{}\">",
        part < narrow_margin  ? " class=\"alarm\""
        : part < tight_margin ? " class=\"tight\""
                              : "",
        markup(site_name(its)));
    if (linked)
      put("<a href=\"#site-{}\">{}</a></td>", i, markup(names_[i]));
    else
      put("{}</td>", markup(names_[i]));
    put("<td data-value=\"{}\">{}</td>", its.uses, count_text(its.uses));
    put("<td data-value=\"{}\">{}</td>", its.live, count_text(its.live));
    bytes_cell(quantile(its, 0.5), sampled(its) != 0);
    bytes_cell(quantile(its, 0.99), sampled(its) != 0);
    bytes_cell(its.max, measured);
    bytes_cell(its.limit, its.limit != 0);
    put("<td class=\"margin\" data-value=\"{:.6f}\">{}", part,
        its.limit == 0 || its.max == 0 ? "-" : percent_text(part));
    put("<span class=\"used\" aria-hidden=\"true\"><i style=\"width:{:.1f}%\"></i></span>",
        100 * std::clamp(1 - part, 0.0, 1.0));
    put("</td><td class=\"text\">{}</td></tr>\n", markup(verdict_of(i)));
  }

  void details() {
    if (of_.sites.empty()) return;
    put("<h2>Details</h2>\n");
    for (std::size_t rank = 0; rank < std::min(order_.size(), options_.details_max); ++rank)
      body_ += details_html({.of = of_,
                             .index = order_[rank],
                             .name = names_[order_[rank]],
                             .modules = modules_,
                             .recommendation = verdict_of(order_[rank]),
                             .open = rank == 0});
    if (order_.size() > options_.details_max) {
      put("<p class=\"soft\">Of the {} sites, details are shown for the {} with the smallest "
          "margin.</p>\n",
          count_text(order_.size()), count_text(options_.details_max));
    }
  }

  void not_seen() {
    put("<h2>What was not seen</h2>\n");
    const std::vector<std::string> sentences = reservations(of_);
    if (sentences.empty()) {
      put("<p>Nothing that is known of.</p>\n");
    } else {
      put("<ul>\n");
      for (const std::string& each : sentences) put("<li>{}</li>\n", markup(each));
      put("</ul>\n");
    }
    put("</main>\n");
  }

  const snapshot& of_;
  const html_options& options_;
  std::vector<std::string> names_;
  std::vector<std::string> modules_;
  advice advice_;
  std::vector<std::size_t> order_;  // indices of sites, the smallest margin first
  std::string body_;
};

}  // namespace

std::string html_page(const snapshot& of, const html_options& options) {
  return page(of, options).html();
}

}  // namespace bast_stacks
