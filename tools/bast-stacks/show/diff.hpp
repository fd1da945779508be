// SPDX-License-Identifier: Apache-2.0
//
// Two snapshots of one program, site by site: new sites, vanished sites, deeper sites. A change
// inside one bucket of the histogram does not count: that is the precision of recorded depths.
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
  std::vector<std::string> incomparable;  // why the two are not comparable, a sentence each
};

/// Sites are the same if kind, name and line are equal. A site that moved within its file is the
/// same if it is the only unmatched one of that file on both sides.
difference compare(const snapshot& before, const snapshot& after);

/// Whether a site that existed before got deeper.
bool grew(const difference& d) noexcept;

struct diff_options {
  bool all = false;  // also unchanged sites
  bool exact_bytes = false;
};
std::string diff_text(const snapshot& before, const snapshot& after,
                      const diff_options& options = {});
std::string diff_json(const snapshot& before, const snapshot& after);

}  // namespace bast_stacks
