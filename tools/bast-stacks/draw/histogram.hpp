// SPDX-License-Identifier: Apache-2.0
//
// The depths of a site as a picture: how often each occurred, and the distance to the limit.
//
// Both axes are logarithmic: the deepest use and a limit thirty times as large fit into one
// picture, and one deep use among a million is visible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::draw {

/// Buckets of the registry that are drawn as one bar: an eighth of an octave, or 64 bytes if that
/// is more.
struct histogram_bar {
  std::uint64_t low = 0;  // bytes, both inclusive
  std::uint64_t high = 0;
  std::uint64_t count = 0;
};

/// The non-empty ones, ascending.
std::vector<histogram_bar> histogram_bars(const site& of);

/// SVG for a page that holds `histogram_style`; empty if there are no samples.
std::string histogram_svg(const site& of);
std::string histogram_style();

}  // namespace bast_stacks::draw
