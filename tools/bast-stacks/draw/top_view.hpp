// SPDX-License-Identifier: Apache-2.0
//
// The screens of `top` and the effect of keys, without a terminal: a snapshot, a state and a size
// give lines of styled text.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/snapshot.hpp"
#include "show/recommend.hpp"

namespace bast_stacks::draw {

enum class text_style { plain, strong, soft, head, alarm, selected };

struct styled_text {
  std::string text;  // clean
  text_style style = text_style::plain;
};
using screen_line = std::vector<styled_text>;

struct screen_size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

enum class top_key {
  none,  // any other
  up,
  down,
  page_up,
  page_down,
  home,
  end,
  enter,
  back,  // Escape, Backspace
  sort,
  look,  // now
  help,
  quit
};

enum class top_order { margin, max, uses, live, site };
enum class top_page { table, details, help };

struct top_state {
  top_order order = top_order::margin;
  top_page page = top_page::table;
  /// The selected site, by its whole name, so that it stays selected when its row moves; empty: the
  /// first row.
  std::string selected;
  std::size_t first_row = 0;   // of the table
  std::size_t first_line = 0;  // of the details
  std::string status;          // a line of its own, or empty
  bool alarm = false;          // the status is a warning
  bool ascii = false;          // the terminal shows only ASCII
  recommend_options recommend{};
};

/// The indices of the sites in an order; equal ones by name.
std::vector<std::size_t> sorted_sites(const snapshot& of, top_order order);

/// Warnings of a site: "recursion json::value x37, few uses"; or empty.
std::string warnings_of(const site& of);

/// Exactly `size.rows` lines, none wider than `size.columns`. Scrolls `state` so that the selected
/// row is visible.
std::vector<screen_line> top_screen(const snapshot& of, top_state& state, screen_size size);

/// Applies a key to the state; false if it ends the view. `look` has no effect here.
bool press(top_state& state, top_key key, const snapshot& of, screen_size size);

}  // namespace bast_stacks::draw
