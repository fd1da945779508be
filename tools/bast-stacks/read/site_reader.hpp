// SPDX-License-Identifier: Apache-2.0
//
// Site entries, which the target writes during the reads. The target never waits; the reader
// retries.
#pragma once

#include <functional>

#include "read/registry.hpp"

namespace bast_stacks {

struct site_losses {
  std::uint64_t unread = 0;        // absent entries
  std::uint64_t torn = 0;          // entries whose numbers were being written at every try
  std::uint64_t torn_deepest = 0;  // the same for their deepest stack; it is left out
};

/// Calls `f` with each entry in use. Bounded even if the target was stopped while writing one:
/// after a few retries it takes the numbers as they are.
site_losses read_sites(memory& target, const registry& all,
                       const std::function<void(const bast::watch::site_entry&)>& f);

}  // namespace bast_stacks
