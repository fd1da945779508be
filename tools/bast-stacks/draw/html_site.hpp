// SPDX-License-Identifier: Apache-2.0
//
// The section of the page about one site.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::draw {

/// One site of a page. The page outlives it.
struct html_site {
  const snapshot& of;
  std::size_t index;                        // in snapshot::sites
  const std::string& name;                  // short, as in the table
  const std::vector<std::string>& modules;  // in the order of their colours
  std::string recommendation;               // a sentence, or empty
  bool open = false;                        // open from the start
};

/// A `details` element with an element in it whose id is "site-<index>".
std::string details_html(const html_site& its);

}  // namespace bast_stacks::draw
