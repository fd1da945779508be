// SPDX-License-Identifier: Apache-2.0
//
// Site entries, which the target writes while they are read. The target never waits; we copy again.
#pragma once

#include <functional>

#include "read/registry.hpp"

namespace bast_stacks {

struct site_losses {
  std::uint64_t unread = 0;        // entries that are not there
  std::uint64_t torn = 0;          // entries whose numbers were being written at every try
  std::uint64_t torn_deepest = 0;  // the same of their deepest stack; it is left out
};

/// Calls `f` with each entry that is in use. Ends soon even when the target was stopped in the
/// middle of writing one: after a few tries the numbers are taken as they are.
site_losses read_sites(memory& target, const registry& all,
                       const std::function<void(const bast::watch::site_entry&)>& f);

}  // namespace bast_stacks
