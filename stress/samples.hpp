// SPDX-License-Identifier: Apache-2.0
//
// What a long run holds over time, and whether it rises: a line through all samples, by least
// squares, because single ones go up and down.
#pragma once

#include <string>
#include <vector>

namespace bast::stress {

struct sample {
  double seconds;
  double pages;     // resident; 0 under a sanitizer
  double mappings;  // likewise
  double descriptors;
  double threads;

  static sample now(double seconds);
};

/// The slope, per second, of the line through (x, y) that has the smallest sum of squares.
double slope_of(const std::vector<double>& x, const std::vector<double>& y);

/// Prints one line for each quantity: where it began, what it is on the average, how fast it rises
/// and what that comes to over the run. Returns a sentence for each one that rises; empty: none.
///
/// The bounds are of the rise over the whole run, because the error of a slope is that of the
/// samples divided by the time they cover: the longer the run, the smaller the leak that it sees.
///   - pages: 2 % of the mean and 256 more. Depths are random, so that what is resident at a moment
///     is, too: with ten thousand coroutines it varied by less than 1 % between samples.
///   - mappings: 2 % and 24. Neighbours that look alike share a line, and which ones do so changes
///     as stacks grow and are trimmed.
///   - descriptors and threads: less than half of one. Nothing here makes any.
std::string judge(const std::vector<sample>& samples);

}  // namespace bast::stress
