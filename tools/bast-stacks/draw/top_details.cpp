// SPDX-License-Identifier: Apache-2.0
#include "draw/top_details.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "draw/histogram.hpp"
#include "draw/path.hpp"
#include "model/clean_text.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "model/utf8.hpp"
#include "show/recommend.hpp"

namespace bast_stacks::draw {

namespace {

using detail_lines = std::vector<screen_line>;

void heading(detail_lines& to, std::string words) {
  to.emplace_back();
  to.push_back({{std::move(words), text_style::head}});
}

void named(detail_lines& to, std::string_view name, std::string value) {
  to.push_back({{fmt::format("{:<20}", name), text_style::soft}, {std::move(value)}});
}

void numbers(detail_lines& to, const site& its) {
  named(to, "deepest", exact_bytes_text(its.max));
  const std::optional<double> left = margin(its);
  named(to, "size",
        left ? fmt::format("{}, margin {}", exact_bytes_text(its.limit), percent_text(*left))
             : "not known");
  named(to, "open from the start", exact_bytes_text(its.window));
  std::string uses = count_text(its.uses);
  if (its.pending != 0) uses += fmt::format(", {} not measured yet", count_text(its.pending));
  named(to, "uses", uses);
  named(to, "stacks",
        fmt::format("{} live, {} in use or kept", count_text(its.live), count_text(its.held)));
  named(to, "grew", counted(its.grows, "time"));
  if (const std::string words = warnings_of(its); !words.empty())
    to.push_back(
        {{fmt::format("{:<20}", "warnings"), text_style::soft}, {words, text_style::alarm}});
}

/// `eighths` of a column, as a bar.
std::string bar_text(std::size_t eighths, bool ascii) {
  if (ascii) return std::string((eighths + 7) / 8, '#');
  constexpr std::array<std::string_view, 8> parts{"",       "\u258f", "\u258e", "\u258d",
                                                  "\u258c", "\u258b", "\u258a", "\u2589"};
  std::string bar;
  for (std::size_t i = 0; i < eighths / 8; ++i) bar += "\u2588";
  return bar.append(parts[eighths % 8]);
}

/// One line per octave between the first and the last non-empty one.
void depths(detail_lines& to, const site& its, std::size_t columns, bool ascii) {
  struct octave {
    std::uint64_t low;
    std::uint64_t count;
  };
  std::vector<octave> octaves;
  for (const histogram_bar& each : histogram_bars(its)) {
    const std::uint64_t low = each.low < 64 ? 0 : std::bit_floor(each.low);
    while (!octaves.empty() && octaves.back().low < low) {
      const std::uint64_t before = octaves.back().low;
      octaves.push_back({before == 0 ? 64 : before * 2, 0});
    }
    if (octaves.empty()) octaves.push_back({low, 0});
    octaves.back().count = add(octaves.back().count, each.count);
  }
  if (octaves.empty()) {
    to.push_back({{"  no depth was sampled", text_style::soft}});
    return;
  }
  std::uint64_t largest = 1;
  for (const octave& each : octaves) largest = std::max(largest, each.count);
  constexpr std::size_t text_columns = 36;  // around the bar
  const std::size_t room = columns > text_columns + 10 ? columns - text_columns : 10;
  for (const octave& each : octaves) {
    const double part =
        std::log1p(static_cast<double>(each.count)) / std::log1p(static_cast<double>(largest));
    const auto eighths = static_cast<std::size_t>(std::ceil(part * static_cast<double>(room * 8)));
    const std::uint64_t end = each.low == 0 ? 64 : each.low * 2;
    to.push_back(
        {{fmt::format("  {:>9} .. {:>9} ", size_text(each.low), size_text(end)), text_style::soft},
         {bar_text(eighths, ascii), text_style::plain},
         {" " + count_text(each.count), text_style::plain}});
  }
  to.push_back({{fmt::format("  p50 {}, p99 {}, of {} samples; bars are logarithmic",
                             size_text(quantile(its, 0.5)), size_text(quantile(its, 0.99)),
                             count_text(sampled(its))),
                 text_style::soft}});
}

void deepest(detail_lines& to, const site& its) {
  const stack_path path = path_of(its);
  if (path.steps.empty()) {
    to.push_back({{"  it never grew, so no calls were recorded", text_style::soft}});
    return;
  }
  to.push_back({{fmt::format("  {:>10}  {:>10}  call", "own bytes", "depth"), text_style::soft}});
  for (const path_step& step : path.steps) {
    const bool is_call = step.kind == step_kind::call;
    std::string place = source_of(step).empty() ? step.module : source_of(step);
    if (is_call && !step.confirmed) place += place.empty() ? "not confirmed" : ", not confirmed";
    to.push_back({{fmt::format("  {:>10}  {:>10}  ", count_text(step.bytes),
                               count_text(step.begin + step.bytes))},
                  {short_name_of(step), is_call ? text_style::strong : text_style::soft},
                  {place.empty() ? place : "  " + place, text_style::soft}});
  }
}

}  // namespace

std::vector<screen_line> site_details(const snapshot& of, std::size_t index, std::size_t columns,
                                      bool ascii, const recommend_options& options) {
  const site& its = of.sites[index];
  detail_lines all;
  numbers(all, its);
  const advice advised = recommend(of, options);
  const std::string words =
      advised.sites.empty() ? advised.refused : verdict_text(advised.sites[index]);
  if (!words.empty()) named(all, "recommended", words);
  if (!advised.sites.empty() && !advised.sites[index].recursion.words.empty()) {
    const recursion_reserve& kept = advised.sites[index].recursion;
    named(all, "kept for more",
          fmt::format("{} for {}", size_text(kept.bytes), clean_text(kept.words)));
  }
  heading(all, "Depths");
  depths(all, its, columns, ascii);
  heading(all, "Deepest stack, the outermost call first");
  deepest(all, its);
  return all;
}

std::string ascii_only(std::string_view text) {
  std::string plain;
  for (character each; (each = first_character(text)).bytes != 0; text.remove_prefix(each.bytes)) {
    if (each.code < 0x80)
      plain += static_cast<char>(each.code);
    else
      plain += each.code == 0x2026 ? '~' : '?';
  }
  return plain;
}

}  // namespace bast_stacks::draw
