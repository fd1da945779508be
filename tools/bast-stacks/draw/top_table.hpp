// SPDX-License-Identifier: Apache-2.0
//
// The table of `top`: which columns fit, and what stands in them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "draw/top_view.hpp"

namespace bast_stacks::draw {

struct site_table_view {
  std::span<const std::size_t> order;  // indices of sites
  std::size_t first = 0;               // of the order, that is shown
  std::size_t rows = 0;                // at most so many
  std::size_t selected = 0;            // in the order
  std::size_t columns = 80;            // of the screen
};

/// The names of the columns, and the rows. Numbers give way where the screen is narrow, those of
/// little worth first.
std::vector<screen_line> site_table(const snapshot& of, const site_table_view& view,
                                    const recommend_options& options = {});

}  // namespace bast_stacks::draw
