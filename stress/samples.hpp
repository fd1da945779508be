// SPDX-License-Identifier: Apache-2.0
//
// The resources of a long run over time, and whether they rise: a line through all samples, by
// least squares, because single ones fluctuate.
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

/// Prints one line per quantity: its start, its mean, its slope and the rise over the run. Returns
/// a sentence for each one that rises; empty: none.
///
/// The bounds are of the rise over the whole run, because the error of a slope is that of the
/// samples divided by their time span: the longer the run, the smaller the detectable leak.
///   - pages: 2 % of the mean and 256 more. Depths are random, and so are the resident pages at a
///     moment: with ten thousand coroutines they varied by less than 1 % between samples.
///   - mappings: 2 % and 24. Equal neighbours share a line, and which ones do so changes as stacks
///     grow and are trimmed.
///   - descriptors and threads: less than half of one. Nothing here creates any.
std::string judge(const std::vector<sample>& samples);

}  // namespace bast::stress
