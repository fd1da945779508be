// SPDX-License-Identifier: Apache-2.0
#include "draw/html_site.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "draw/flame.hpp"
#include "draw/flame_layout.hpp"
#include "draw/histogram.hpp"
#include "draw/path.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/markup.hpp"
#include "show/names.hpp"

namespace bast_stacks::draw {

namespace {

template <class... Values>
void put(std::string& html, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(html), format, std::forward<Values>(values)...);
}

/// Wide elements scroll separately, also by keyboard.
void begin_wide(std::string& html, std::string_view what) {
  put(html, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n", what);
}

void facts(std::string& html, const html_site& here) {
  const site& its = here.of.sites[here.index];
  const auto fact = [&](std::string_view name, const std::string& value) {
    put(html, "<div><dt>{}</dt><dd>{}</dd></div>", name, value);
  };
  html += "<dl class=\"facts\">";
  fact("uses", count_text(its.uses));
  if (its.pending != 0) fact("not measured yet", count_text(its.pending));
  fact("live", count_text(its.live));
  fact("in use or kept", count_text(its.held));
  fact("deepest", exact_bytes_text(its.max));
  fact("limit", its.limit == 0 ? "not known" : exact_bytes_text(its.limit));
  fact("open from the start", exact_bytes_text(its.window));
  fact("grew", counted(its.grows, "time"));
  if (!here.recommendation.empty()) fact("recommended", markup(here.recommendation));
  html += "</dl>\n";
}

void depths(std::string& html, const site& its) {
  html += "<h3>Depths</h3>\n";
  const std::string svg = histogram_svg(its);
  if (svg.empty()) {
    html += "<p class=\"soft\">No depth was sampled.</p>\n";
    return;
  }
  put(html, "<p class=\"soft\">{} by how deep they went; both axes are logarithmic.</p>\n",
      counted(sampled(its), "use"));
  begin_wide(html, "histogram");
  html += svg + "</div>\n";
}

void call_row(std::string& html, const path_step& step, const std::vector<std::string>& modules) {
  const bool is_call = step.kind == step_kind::call;
  put(html, "<tr><td class=\"name code\">{}{}</td>", markup(step.function),
      is_call && step.calls > 1 ? fmt::format(" x{}", step.calls) : "");
  put(html, "<td>{}</td><td>{}</td>", count_text(step.bytes), count_text(step.begin + step.bytes));
  put(html, "<td class=\"text code\">{}</td><td class=\"text code\">", markup(source_of(step)));
  if (!step.module.empty()) {
    put(html,
        "<svg class=\"bast-flame key\" width=\"10\" height=\"10\" aria-hidden=\"true\"><rect "
        "class=\"o{}\" width=\"10\" height=\"10\"/></svg> ",
        colour_among(modules, step.module));
  }
  put(html, "{}{}</td></tr>\n", markup(step.module),
      is_call && !step.confirmed ? " (not confirmed)" : "");
}

void deepest(std::string& html, const html_site& here) {
  html += "<h3>Deepest stack</h3>\n";
  const stack_path path = path_of(here.of.sites[here.index]);
  if (path.steps.empty()) {
    html += "<p class=\"soft\">It never grew, so no calls were recorded.</p>\n";
    return;
  }
  begin_wide(html, "flame graph");
  html += flame_svg(here.of, {.sites = {here.index}, .modules = here.modules, .embedded = true});
  html += "</div>\n";
  begin_wide(html, "calls");
  html +=
      "<table>\n<thead><tr><th scope=\"col\">call, the outermost first</th><th "
      "scope=\"col\">own bytes</th><th scope=\"col\">depth</th><th scope=\"col\" "
      "class=\"text\">source</th><th scope=\"col\" class=\"text\">file</th></tr></thead>\n"
      "<tbody>\n";
  for (const path_step& step : path.steps) call_row(html, step, here.modules);
  html += "</tbody>\n</table>\n</div>\n";
}

}  // namespace

std::string details_html(const html_site& here) {
  const site& its = here.of.sites[here.index];
  std::string html;
  put(html, "<details{}>\n<summary class=\"code\">{}<span>{} of {}</span></summary>\n",
      here.open ? " open=\"\"" : "", markup(here.name), size_text(its.max),
      its.limit == 0 ? "an unknown limit" : size_text(its.limit));
  put(html, "<div id=\"site-{}\">\n<p class=\"code soft\">{}</p>\n", here.index,
      markup(site_name(its)));
  facts(html, here);
  if (const std::string words = recursion_text(its.deepest); !words.empty())
    put(html, "<p class=\"warning\">{}</p>\n", markup(words));
  depths(html, its);
  deepest(html, here);
  return html + "</div>\n</details>\n";
}

}  // namespace bast_stacks::draw
