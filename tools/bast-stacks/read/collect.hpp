// SPDX-License-Identifier: Apache-2.0
//
// From registries to a snapshot: the middle of the reader, the same for processes, cores and files.
#pragma once

#include <expected>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks {

struct collect_options {
  bool live_stacks = true;    // find out how deep they are
  std::uint64_t now_ns = 0;   // CLOCK_MONOTONIC of the target, 0: not known
  std::uint64_t boot_ns = 0;  // CLOCK_BOOTTIME of the target, 0: not known
  // A file with a registry and nothing else: that slots are not there is no news.
  bool registry_only = false;
};

/// Adds what the registries at these addresses say to `into`. The slots of its live stacks, guard
/// included, are appended to `slots` in the order of into.stacks, when that is given.
/// Errors: none of them can be read; there is no pool; the target is gone.
std::expected<void, problem> collect(memory& target, const std::vector<std::uint64_t>& registries,
                                     const collect_options& options, snapshot& into,
                                     std::vector<extent>* slots = nullptr);

}  // namespace bast_stacks
