// SPDX-License-Identifier: Apache-2.0
//
// From registries to a snapshot: the core of the reader, shared by processes, cores and files.
#pragma once

#include <expected>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks {

struct collect_options {
  bool live_stacks = true;    // measure their depths
  std::uint64_t now_ns = 0;   // CLOCK_MONOTONIC of the target, 0: not known
  std::uint64_t boot_ns = 0;  // CLOCK_BOOTTIME of the target, 0: not known
  // A file that contains only a registry: absent slots are expected and not reported.
  bool registry_only = false;
};

/// Adds the contents of the registries at these addresses to `into`. Appends the slots of its live
/// stacks, guard included, to `slots` in the order of into.stacks, if `slots` is given. Errors:
/// none of them can be read; there is no pool; the target is gone.
std::expected<void, problem> collect(memory& target, const std::vector<std::uint64_t>& registries,
                                     const collect_options& options, snapshot& into,
                                     std::vector<extent>* slots = nullptr);

}  // namespace bast_stacks
