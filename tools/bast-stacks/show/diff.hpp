// SPDX-License-Identifier: Apache-2.0
//
// Two snapshots of one program, site by site: what is new, what is gone, what got deeper. A change
// inside one bucket of the histogram is no change: that is as exact as a depth is recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

enum class change { appeared, vanished, grew, shrank, same };

struct site_change {
  change what = change::same;
  // Indices in the snapshots' sites.
  std::optional<std::size_t> before;
  std::optional<std::size_t> after;
};

struct difference {
  std::vector<site_change> sites;         // grew most first, then appeared, shrank, vanished, same
  std::vector<std::string> incomparable;  // why the two are not alike, a sentence each
};

/// Sites are the same when kind and name are, and the line is: a site that moved within its file is
/// the same if it is the only one of that file that is left over on both sides.
difference compare(const snapshot& before, const snapshot& after);

/// Whether a site that was there before got deeper.
bool grew(const difference& d) noexcept;

struct diff_options {
  bool all = false;  // also what did not change
  bool exact_bytes = false;
};
std::string diff_text(const snapshot& before, const snapshot& after,
                      const diff_options& options = {});
std::string diff_json(const snapshot& before, const snapshot& after);

}  // namespace bast_stacks
