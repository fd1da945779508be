// SPDX-License-Identifier: Apache-2.0
//
// `site_index`: a target has a record for each site of each pool; a reader wants one line for each
// place in the source. The book adds them up, and knows which line a slot's (pool, index) means.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <unordered_map>

#include "bast/watch/abi.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks {

/// What identifies a site for a user.
using site_identity =
    std::tuple<std::string, std::uint32_t, std::uint32_t, bast::watch::site_kind, bool>;
inline site_identity identity_of(const site& each) {
  return {each.where, each.line, each.column, each.kind, each.where_is_cut};
}

/// Sorts sites by where, line, column, and renumbers live stacks accordingly.
void sort_sites(snapshot& all);
/// Each pool has a record for what has no site; it is a site where something ran.
void drop_unused_other(snapshot& all);

class site_index {
 public:
  /// Enters sites into `all`, which must live as long as the book.
  explicit site_index(snapshot& all);

  /// Enters a line that another snapshot has. Returns its index.
  std::size_t enter(site entered);

  /// Enters what a registry says. `pool_id` is 0 for a site of pools that are gone.
  /// `now_ns` is the target's CLOCK_MONOTONIC, or 0 when not known. Returns how deep it was in that
  /// pool.
  std::uint64_t enter(const bast::watch::site_entry& entry, std::uint64_t pool_id,
                      std::uint64_t now_ns);

  /// Sees to it that each site holds at least the most that the registry counted: slots tell of
  /// this moment, and nothing when their pools are gone.
  void raise_held();

  /// The line of a slot's site; made, as "(other)", when the registry has no record of it.
  std::size_t find(std::uint32_t pool_index, std::uint16_t index);

  /// Forgets (pool, index): another registry has other pools.
  void next_registry() { by_place_.clear(); }

 private:
  snapshot& all_;
  std::map<site_identity, std::size_t> by_identity_;
  std::unordered_map<std::uint64_t, std::size_t> by_place_;
  /// The most stacks: of pools that are there together, and of one that is gone.
  struct held {
    std::uint64_t open = 0;
    std::uint64_t gone = 0;
  };
  std::unordered_map<std::size_t, held> held_max_;  // by index in snapshot::sites
};

}  // namespace bast_stacks
