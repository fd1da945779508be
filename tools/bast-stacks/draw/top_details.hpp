// SPDX-License-Identifier: Apache-2.0
//
// The page of one site in `top`: its numbers, the distribution of its depths, its deepest stack.
#pragma once

#include <string>
#include <vector>

#include "draw/top_view.hpp"

namespace bast_stacks::draw {

/// All its lines; those with bars are `columns` wide.
std::vector<screen_line> site_details(const snapshot& of, std::size_t index, std::size_t columns,
                                      bool ascii, const recommend_options& options = {});

/// For terminals without Unicode: a non-ASCII character becomes '?', an ellipsis '~'.
std::string ascii_only(std::string_view text);

}  // namespace bast_stacks::draw
