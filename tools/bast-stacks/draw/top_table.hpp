// SPDX-License-Identifier: Apache-2.0
//
// The table of `top`: which columns fit, and their contents.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "draw/top_view.hpp"

namespace bast_stacks::draw {

struct site_table_view {
  std::span<const std::size_t> order;  // indices of sites
  std::size_t first = 0;               // the first shown, in `order`
  std::size_t rows = 0;                // at most
  std::size_t selected = 0;            // in `order`
  std::size_t columns = 80;            // of the screen
};

/// The column heads and the rows. On narrow screens number columns are dropped, those of little
/// worth first.
std::vector<screen_line> site_table(const snapshot& of, const site_table_view& view,
                                    const recommend_options& options = {});

}  // namespace bast_stacks::draw
