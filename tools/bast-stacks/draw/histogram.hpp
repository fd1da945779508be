// SPDX-License-Identifier: Apache-2.0
//
// A site's depths as a picture: how often it went how deep, and how far that is from the limit.
//
// Both axes are logarithmic: across, so that the deepest use and a limit that is thirty times as
// large are in one picture; upward, so that one deep use among a million can be seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::draw {

/// Buckets of the registry that are drawn as one bar: an eighth of an octave, or 64 bytes where
/// that is more.
struct histogram_bar {
  std::uint64_t low = 0;  // bytes, both inclusive
  std::uint64_t high = 0;
  std::uint64_t count = 0;
};

/// Those that are not empty, ascending.
std::vector<histogram_bar> histogram_bars(const site& of);

/// SVG for a page that holds `histogram_style`; empty when there are no samples.
std::string histogram_svg(const site& of);
std::string histogram_style();

}  // namespace bast_stacks::draw
