// SPDX-License-Identifier: Apache-2.0
//
// Deepest backtraces as text: repetitions folded, recursion named.
#pragma once

#include <cstdint>
#include <string>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// The name of a frame's function, or in a stripped program its start, "server+0x1120"; empty if
/// that is not known either.
std::string function_of(const frame& of);

/// One line per frame, deepest first, with its bytes; each line is indented by two spaces.
/// Repetitions appear once, with their count: "x37" after a function, or a head above a cycle of
/// functions. "?" follows frames that the unwind tables do not confirm.
std::string backtrace_text(const backtrace& of, bool exact);

/// A function that occurs more than once on a backtrace.
struct recursion {
  std::string function;
  std::uint64_t times = 0;
  bool estimated = false;  // frames are missing: estimated from their bytes
  /// The most bytes from one call of it to the next.
  std::uint64_t round_bytes = 0;
};
/// The most frequent one, of several the outermost; `times` is 0 if none occurs three times or
/// more. With `least` 2, twice is enough if the unwind tables confirm both.
recursion recursion_of(const backtrace& of, std::uint64_t least = 3);
/// "recursion json_value x37", "recursion dfs x~16000", or empty.
std::string recursion_text(const backtrace& of);
std::string recursion_text(const recursion& of);

}  // namespace bast_stacks
