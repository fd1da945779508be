// SPDX-License-Identifier: Apache-2.0
//
// The layout of a flame graph. Lengths are in CSS pixels, stack positions in bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "draw/flame.hpp"
#include "draw/path.hpp"

namespace bast_stacks::draw {

inline constexpr double flame_width = 1200;
inline constexpr double flame_margin = 16;
inline constexpr double flame_plot_width = flame_width - 2 * flame_margin;
inline constexpr double flame_row_height = 18;
/// A column of the fixed-width font at 12 px: 0.6 em for common fonts, and some slack.
inline constexpr double flame_column_width = 7.25;

struct flame_label {
  std::string text;  // cut to fit
  double x = 0;      // of its start, or of its end if `ends_at_x`
  bool ends_at_x = false;
};

struct flame_bar {
  path_step step;
  double left = 0;
  double own_right = 0;  // end of its own bytes
  double right = 0;      // end of the stack
  flame_label label;
  std::string words;  // the whole label
};

struct flame_panel {
  std::size_t site = 0;  // index in snapshot::sites
  std::vector<flame_bar> bars;
  std::uint64_t path_bytes = 0;
  bool labels_behind = false;     // half of the plot is free: labels go there
  double path_right = 0;          // where the deepest backtrace ends
  double deepest_right = 0;       // where the deepest use ends; never left of path_right
  std::uint64_t magnified = 1;    // enlargement against the picture's scale
  std::uint64_t scale_bytes = 0;  // the plot's width
  std::uint64_t tick_bytes = 0;
  double limit_x = 0;  // 0: beyond the picture

  double x_of(std::uint64_t bytes) const;
};

struct flame_layout {
  std::vector<flame_panel> panels;
  std::uint64_t scale_bytes = 0;       // of the panels that are not magnified
  std::vector<std::string> modules;    // those with a colour, by bytes, the greatest first
  bool more_modules = false;           // some have no colour
  std::size_t without_path = 0;        // sites that cannot be drawn
  std::size_t beyond_max = 0;          // drawable sites beyond the maximum
  std::uint64_t beyond_max_bytes = 0;  // the deepest of these
};

inline constexpr std::size_t flame_colours = 6;

/// The class of a file's colour without its first letter: "0" to "5", or "x".
std::string colour_among(const std::vector<std::string>& modules, const std::string& module);

flame_layout lay_out(const snapshot& of, const flame_options& options);

/// Panels are magnified when they would take less than this part of the plot's width.
inline constexpr std::uint64_t flame_magnify_below = 8;

/// A power of two, at least 8, such that `scale` has four to eight ticks.
std::uint64_t tick_of(std::uint64_t scale_bytes);

/// The position of a bar within a plot, for its label.
struct label_room {
  double left = 0;    // of the bar
  double right = 0;   // of the bar, if its text may be in it
  double behind = 0;  // where the free space to the right begins
  double width = 0;   // of the plot
};

/// Places the label in, before or after the bar, in the first that has room; else cuts it to the
/// largest of the three.
flame_label place_label(std::string_view text, const label_room& room);

/// After the bar, in one column for all labels of a picture. Cut to the rest of the plot.
flame_label label_behind(std::string_view text, const label_room& room);

}  // namespace bast_stacks::draw
