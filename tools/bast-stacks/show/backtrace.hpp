// SPDX-License-Identifier: Apache-2.0
//
// Deepest backtraces for readers: repetitions folded, recursion named.
#pragma once

#include <cstdint>
#include <string>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// A line a frame, deepest first, with its bytes; each line is indented by two spaces. What repeats
/// is there once, with how often: "x37" behind a function, or a head above a cycle of functions.
/// "?" stands behind frames that the unwind tables do not confirm.
std::string backtrace_text(const backtrace& of, bool exact);

/// A function that is on a backtrace more than once.
struct recursion {
  std::string function;
  std::uint64_t times = 0;
  bool estimated = false;  // frames are missing: from the bytes they took
};
/// The one that is there most often, of several the outermost; `times` is 0 when none is there
/// three times or more.
recursion recursion_of(const backtrace& of);
/// "recursion json_value x37", "recursion dfs x~16000", or empty.
std::string recursion_text(const backtrace& of);

}  // namespace bast_stacks
