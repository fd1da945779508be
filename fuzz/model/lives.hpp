// SPDX-License-Identifier: Apache-2.0
//
// Several lives: a program runs repeatedly in one process, and everything that it uses is destroyed
// and created again in between. Each life must equal the one before: the visible state (F-13,
// across whole pools), and the resources that the process holds afterwards; and of three lives or
// more at least two make equally many kernel calls.
//
// What is created once per process may be created in the first life; nothing may be added in a
// later one.
#pragma once

#include <string>

#include "model/target.hpp"

namespace bast::model {

/// Places in the tables of the process, which pools take and return: of coroutines, and of pools,
/// stacks and sites for the inspector.
struct table_places {
  std::uint64_t coros_bytes = 0;
  std::size_t pools = 0;
  std::size_t slabs = 0;
  std::size_t sites = 0;
  std::size_t budget_bytes = 0;  // of stacks, open

  static table_places now();
  /// One line per difference.
  std::string differences(const table_places& later) const;
};

/// Runs `p` so many times, and so many times once more to count its kernel calls. Returns what was
/// wrong with which life, or empty. Not thread-safe.
std::string live(const target& t, const program& p, unsigned lives);

}  // namespace bast::model
