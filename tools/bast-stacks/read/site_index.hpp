// SPDX-License-Identifier: Apache-2.0
//
// `site_index`: a target has a record per site and pool; users want one line per place in the
// source. The index adds them up, and maps a slot's (pool, index) to its line.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <unordered_map>

#include "bast/watch/abi.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks {

/// The identity of a site for a user.
using site_identity =
    std::tuple<std::string, std::uint32_t, std::uint32_t, bast::watch::site_kind, bool>;
inline site_identity identity_of(const site& each) {
  return {each.where, each.line, each.column, each.kind, each.where_is_cut};
}

/// Sorts sites by where, line, column, and renumbers live stacks accordingly.
void sort_sites(snapshot& all);
/// Drops the record that each pool has for stacks without a site, unless it was used.
void drop_unused_other(snapshot& all);

class site_index {
 public:
  /// Enters sites into `all`, which must outlive the index.
  explicit site_index(snapshot& all);

  /// Enters a line of another snapshot. Returns its index.
  std::size_t enter(site entered);

  /// Enters an entry of a registry. `pool_id` is 0 for a site of destroyed pools. `now_ns` is the
  /// target's CLOCK_MONOTONIC, or 0 if not known. Returns its depth in that pool.
  std::uint64_t enter(const bast::watch::site_entry& entry, std::uint64_t pool_id,
                      std::uint64_t now_ns);

  /// Raises each site's held to at least the registry's maximum: slots show only the present, and
  /// nothing once their pools are gone.
  void raise_held();

  /// The line of a slot's site; made, as "(other)", when the registry has no record of it.
  std::size_t find(std::uint32_t pool_index, std::uint16_t index);

  /// Forgets (pool, index): another registry has other pools.
  void next_registry() { by_place_.clear(); }

 private:
  snapshot& all_;
  std::map<site_identity, std::size_t> by_identity_;
  std::unordered_map<std::uint64_t, std::size_t> by_place_;
  /// The most stacks: of pools that exist together, and of one destroyed pool.
  struct held {
    std::uint64_t open = 0;
    std::uint64_t gone = 0;
  };
  std::unordered_map<std::size_t, held> held_max_;  // by index in snapshot::sites
};

}  // namespace bast_stacks
