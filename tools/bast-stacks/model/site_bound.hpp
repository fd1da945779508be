// SPDX-License-Identifier: Apache-2.0
//
// Static bounds for sites: computed by the code analysis, used for recommendations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bast_stacks {

/// A bound for the stacks of one site. It is sound if there is no reason against it.
struct site_bound {
  std::string root{};         // the first function on its stacks; empty: not known
  std::uint64_t bytes = 0;    // of the whole stack, including what lies above the root
  std::uint64_t reasons = 0;  // why a stack could be deeper than that
  /// A cycle of calls whose functions are all on the deepest stack that was seen: with other input
  /// it may recur. Empty if there is none.
  std::string circle{};
  std::uint64_t circle_bytes = 0;  // bytes of its calls there

  bool sound() const noexcept { return !root.empty() && reasons == 0; }
};

struct code_findings {
  std::string file{};                // the analysed file; empty: none
  std::vector<site_bound> sites{};   // as snapshot::sites, or empty
  std::vector<std::string> notes{};  // further notes for the user, a sentence each
};

}  // namespace bast_stacks
