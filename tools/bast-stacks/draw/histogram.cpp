// SPDX-License-Identifier: Apache-2.0
#include "draw/histogram.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/names.hpp"

namespace bast_stacks::draw {

namespace {

namespace watch = bast::watch;

constexpr double picture_width = 1200;
constexpr double left_edge = 72;                    // counts are left of it
constexpr double right_edge = picture_width - 104;  // the limit's label is right of it
constexpr double marks_top = 14;
constexpr double mark_row = 16;
constexpr double plot_height = 150;
constexpr double axis_height = 26;

// Histograms end at 64 MiB; marks much further away are not worth the room.
constexpr std::uint64_t farthest = std::uint64_t{1} << 27;

/// The first bucket of the bar that holds a bucket: at a multiple of 64 bytes near an eighth of an
/// octave.
std::uint32_t first_bucket_of_bar(std::uint32_t bucket) {
  // Below 512 bytes a bucket is wider than an eighth; above 4 KiB four buckets are one.
  const std::uint64_t low = watch::bucket_low(bucket);
  if (low < 512) return bucket;
  if (bucket >= watch::linear_buckets) return bucket - (bucket - watch::linear_buckets) % 4;
  const double eighths = std::floor(std::log2(static_cast<double>(low)) * 8);
  const double begin = std::exp2(eighths / 8);
  const auto first = static_cast<std::uint32_t>(std::ceil(begin / 64));
  return std::min(first, bucket);
}

/// Positions of depths and counts.
struct scale {
  double low = 64;    // bytes at the left edge
  double high = 128;  // at the right
  std::uint64_t count_max = 1;
  double top = 0;  // of the plot

  double x(double bytes) const {
    const double part = std::log2(std::max(bytes, low) / low) / std::log2(high / low);
    return left_edge + std::clamp(part, 0.0, 1.0) * (right_edge - left_edge);
  }
  double height(std::uint64_t count) const {
    return plot_height * std::log1p(static_cast<double>(count)) /
           std::log1p(static_cast<double>(count_max));
  }
  double bottom() const { return top + plot_height; }
};

struct mark {
  std::string name;
  std::string_view shape;
  std::uint64_t bytes = 0;
  double x = 0;
  std::size_t row = 0;
};

constexpr double column_width = 6.8;  // of the label font, rounded up

std::string words_of(const mark& each) { return each.name + " " + size_text(each.bytes); }

/// Puts each mark in the lowest row in which its label does not overlap earlier ones.
std::size_t place_marks(std::vector<mark>& marks, const scale& to) {
  std::vector<double> row_ends;
  for (mark& each : marks) {
    each.x = to.x(static_cast<double>(each.bytes));
    const double end = each.x + 8 + static_cast<double>(words_of(each).size()) * column_width;
    while (each.row < row_ends.size() && row_ends[each.row] > each.x) ++each.row;
    if (each.row == row_ends.size()) row_ends.push_back(0);
    row_ends[each.row] = end;
  }
  return row_ends.size();
}

void draw_marks(std::string& svg, const std::vector<mark>& marks, const scale& to) {
  const auto out = std::back_inserter(svg);
  for (const mark& each : marks) {
    const double y = marks_top + static_cast<double>(each.row) * mark_row;
    const std::string words = words_of(each);
    fmt::format_to(out, "<path class=\"{}\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", each.shape, each.x,
                   y - 8, to.bottom());
    fmt::format_to(out, "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", each.shape,
                   each.x + 4, y, words);
  }
}

void draw_axes(std::string& svg, const scale& to) {
  const auto out = std::back_inserter(svg);
  for (double bytes = to.low; bytes <= to.high * 1.001; bytes *= 2) {
    const double x = to.x(bytes);
    fmt::format_to(out, "<path class=\"grid\" d=\"M{:.1f} {:.1f}v5\"/>", x, to.bottom());
    fmt::format_to(out, "<text class=\"soft mid\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x,
                   to.bottom() + 18, size_text(static_cast<std::uint64_t>(bytes)));
  }
  const std::uint64_t largest = to.count_max;
  for (std::uint64_t count = 1; count <= largest; count *= 10) {
    const double y = to.bottom() - to.height(count);
    fmt::format_to(out, "<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", left_edge, y,
                   right_edge);
    fmt::format_to(out, "<text class=\"soft end\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                   left_edge - 8, y + 4, count_text(count));
    if (count > largest / 10) break;  // the next might not fit in the type
  }
  fmt::format_to(out, "<path class=\"base\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", left_edge,
                 to.bottom(), right_edge);
}

}  // namespace

std::vector<histogram_bar> histogram_bars(const site& of) {
  std::vector<histogram_bar> bars;
  std::uint32_t last = ~std::uint32_t{0};
  for (const bucket& each : of.histogram) {
    if (each.index >= watch::bucket_count || each.count == 0) continue;
    const std::uint32_t first = first_bucket_of_bar(each.index);
    if (bars.empty() || first != last) {
      std::uint32_t end = each.index;
      while (end + 1 < watch::bucket_count && first_bucket_of_bar(end + 1) == first) ++end;
      bars.push_back({watch::bucket_low(first), watch::bucket_high(end), 0});
    }
    last = first;
    bars.back().count = add(bars.back().count, each.count);
  }
  return bars;
}

std::string histogram_svg(const site& of) {
  const std::vector<histogram_bar> bars = histogram_bars(of);
  if (bars.empty()) return {};
  const auto near = [](std::uint64_t bytes) {
    return std::clamp<std::uint64_t>(bytes, 1, farthest);
  };
  scale to;
  to.low = static_cast<double>(std::max<std::uint64_t>(64, std::bit_floor(near(bars[0].low))));
  std::uint64_t high = std::max(near(of.limit), near(of.max));
  if (bars.back().high <= farthest) high = std::max(high, bars.back().high);
  to.high = std::max(static_cast<double>(std::bit_ceil(high)), to.low * 2);
  std::uint64_t total = 0;
  for (const histogram_bar& each : bars) {
    to.count_max = std::max(to.count_max, each.count);
    total = add(total, each.count);
  }
  std::vector<mark> marks{{.name = "p50", .shape = "mark", .bytes = quantile(of, 0.5)},
                          {.name = "p99", .shape = "mark", .bytes = quantile(of, 0.99)},
                          {.name = "max", .shape = "mark", .bytes = of.max}};
  if (of.limit != 0) marks.push_back({.name = "limit", .shape = "limit", .bytes = of.limit});
  const std::size_t rows = place_marks(marks, to);
  to.top = marks_top + static_cast<double>(rows) * mark_row - 4;

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"bast-histogram\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-label=\"Histogram of "
      "the depths of {2} uses\">\n",
      picture_width, to.bottom() + axis_height, count_text(total));
  draw_axes(svg, to);
  for (const histogram_bar& each : bars) {
    const double x = to.x(static_cast<double>(each.low));
    const double end = to.x(static_cast<double>(each.high) + 1);
    const double height = std::max(to.height(each.count), 2.0);
    const std::string upto =
        each.high == ~std::uint64_t{0} ? std::string("more") : count_text(each.high) + " bytes";
    fmt::format_to(std::back_inserter(svg),
                   "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
                   "height=\"{:.1f}\"><title>{} to {}: {}</title></rect>\n",
                   x, to.bottom() - height, std::max(end - x - 1, 1.5), height,
                   count_text(each.low), upto, counted(each.count, "use"));
  }
  draw_marks(svg, marks, to);
  return svg + "</svg>\n";
}

std::string histogram_style() {
  return R"css(
.bast-histogram text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
 fill:var(--ink)}
.bast-histogram .soft{fill:var(--soft)}.bast-histogram .end{text-anchor:end}
.bast-histogram .mid{text-anchor:middle}.bast-histogram .grid{stroke:var(--line)}
.bast-histogram .base{stroke:var(--soft)}.bast-histogram .bar{fill:var(--accent)}
.bast-histogram .bar:hover{fill:var(--ink)}.bast-histogram path.mark{stroke:var(--ink)}
.bast-histogram path.limit{stroke:var(--alarm);stroke-width:1.5}
.bast-histogram text.limit{fill:var(--alarm)}
)css";
}

}  // namespace bast_stacks::draw
