// SPDX-License-Identifier: Apache-2.0
//
// `stack_path`: a site's deepest stack as it is drawn, from its top to its deepest byte.
//
// The calls lie one after another, so each begins where those before it end, and the last ends at
// the depth of the whole. What the backtrace does not explain has a step of its own: the sum of the
// steps is never less than the depth that was seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::draw {

/// Sums of what a hostile recording says must not wrap, and no stack is larger than an address
/// space: what claims to be is drawn as this.
inline constexpr std::uint64_t path_bytes_max = std::uint64_t{1} << 47;

enum class step_kind {
  call,        // of one function, or of equal calls folded into one step
  omitted,     // too many to record, or to draw
  unexplained  // no call is known that took it
};

/// Strings are clean. Bytes count from the top of the stack downward.
struct path_step {
  step_kind kind = step_kind::call;
  std::string function{};            // demangled, or "module+0x12ab" when it has no name
  std::string module{};              // empty when none is known
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

/// What tells its function from others of the same name, as static functions of two sources have:
/// the module and where in it the function begins; where that is not known, the name.
std::string identity_of(const path_step& step);
/// What it calls, in short: "json::value x37".
std::string short_name_of(const path_step& step);
/// "file:line", as much of it as is known.
std::string source_of(const path_step& step);

struct stack_path {
  std::vector<path_step> steps;  // outermost first
  std::uint64_t bytes = 0;
};

struct path_options {
  /// More calls than this in a row that are one group again and again, at least three times, become
  /// one step for each function of the group; 0 folds nothing. The steps of a group are laid side
  /// by side, so `begin` of a folded step is that of its group's share and not of any one call.
  std::size_t fold_beyond = 12;
  /// More steps than this lose their middle to one `omitted` step.
  std::size_t steps_max = 256;
};

/// Empty when the site has no deepest stack.
stack_path path_of(const site& of, const path_options& options = {});

}  // namespace bast_stacks::draw
