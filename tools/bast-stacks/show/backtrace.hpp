// SPDX-License-Identifier: Apache-2.0
//
// Deepest backtraces for readers: repetitions folded, recursion named.
#pragma once

#include <cstdint>
#include <string>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// What names a frame's function: its name, or in a stripped program where it begins,
/// "server+0x1120"; empty when that is not known either.
std::string function_of(const frame& of);

/// A line a frame, deepest first, with its bytes; each line is indented by two spaces. What repeats
/// is there once, with how often: "x37" behind a function, or a head above a cycle of functions.
/// "?" stands behind frames that the unwind tables do not confirm.
std::string backtrace_text(const backtrace& of, bool exact);

/// A function that is on a backtrace more than once.
struct recursion {
  std::string function;
  std::uint64_t times = 0;
  bool estimated = false;  // frames are missing: from the bytes they took
  /// Bytes from one call of it to the next, the most that was seen.
  std::uint64_t round_bytes = 0;
};
/// The one that is there most often, of several the outermost; `times` is 0 when none is there
/// three times or more. Twice is enough with `least` 2, where the unwind tables confirm both.
recursion recursion_of(const backtrace& of, std::uint64_t least = 3);
/// "recursion json_value x37", "recursion dfs x~16000", or empty.
std::string recursion_text(const backtrace& of);
std::string recursion_text(const recursion& of);

}  // namespace bast_stacks
