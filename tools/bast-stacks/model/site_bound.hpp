// SPDX-License-Identifier: Apache-2.0
//
// What the code of a program says of its sites: made where code is analysed, used where sizes are
// recommended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bast_stacks {

/// A bound for the stacks of one site. It is sound when there is no reason why it may not hold.
struct site_bound {
  std::string root{};         // the function that its stacks begin with; empty: not known
  std::uint64_t bytes = 0;    // of the whole stack, what lies above the root included
  std::uint64_t reasons = 0;  // why a stack could be deeper than that
  /// A circle of calls whose functions are all on the deepest stack that was seen, so that only
  /// the input kept it from going round again; empty when there is none.
  std::string circle{};
  std::uint64_t circle_bytes = 0;  // what its calls took there

  bool sound() const noexcept { return !root.empty() && reasons == 0; }
};

struct code_findings {
  std::string file{};                // that was analysed; empty: none was
  std::vector<site_bound> sites{};   // as snapshot::sites, or empty
  std::vector<std::string> notes{};  // what else a reader should know, a sentence each
};

}  // namespace bast_stacks
