// SPDX-License-Identifier: Apache-2.0
//
// `stack_path`: a site's deepest stack in drawable form, from its top to its deepest byte.
//
// The calls are contiguous: each begins where the previous one ends, and the last ends at the depth
// of the stack. Depth that the backtrace does not explain has its own step, so the sum of the steps
// is never less than the measured depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::draw {

/// Sums of numbers from a hostile recording must not wrap, and no stack is larger than an address
/// space: larger sizes are drawn as this.
inline constexpr std::uint64_t path_bytes_max = std::uint64_t{1} << 47;

enum class step_kind {
  call,        // one call, or equal calls folded into one step
  omitted,     // beyond the maximum to record or to draw
  unexplained  // not taken by any known call
};

/// Strings are clean. Bytes count from the top of the stack downward.
struct path_step {
  step_kind kind = step_kind::call;
  std::string function{};            // demangled, or "module+0x12ab"
  std::string module{};              // empty: not known
  std::uint64_t function_start = 0;  // in the module; 0: not known
  std::string file{};                // of the source, or empty
  std::uint32_t line = 0;
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;  // its own, of all its calls
  std::uint64_t calls = 1;
  std::uint64_t least = 0;  // bytes of the smallest and of the largest of its calls
  std::uint64_t most = 0;
  bool confirmed = false;  // of all its calls
};

/// Distinguishes its function from others of the same name, such as static functions of two
/// sources: the module and the function's start in it; if that is not known, the name.
std::string identity_of(const path_step& step);
/// A short name: "json::value x37".
std::string short_name_of(const path_step& step);
/// "file:line", as far as known.
std::string source_of(const path_step& step);

struct stack_path {
  std::vector<path_step> steps;  // outermost first
  std::uint64_t bytes = 0;
};

struct path_options {
  /// More consecutive calls than this that repeat one group at least three times become one step
  /// per function of the group; 0 folds nothing. The steps of a group are laid side by side, so
  /// `begin` of a folded step is the start of its function's share, not of a call.
  std::size_t fold_beyond = 12;
  /// Beyond this many steps the middle ones become one `omitted` step.
  std::size_t steps_max = 256;
};

/// Empty if the site has no deepest stack.
stack_path path_of(const site& of, const path_options& options = {});

}  // namespace bast_stacks::draw
