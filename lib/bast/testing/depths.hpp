// SPDX-License-Identifier: Apache-2.0
//
// A site record outside the registry, for tests of recording.
#pragma once

#include "bast/watch.hpp"

namespace bast::test {

struct depths {
  watch::site_entry entry{};

  void add(std::uint64_t depth) {
    watch::add(entry, {.uses = 1, .is_sample = true, .depth = depth});
  }
  void raise_max(std::uint64_t depth) { watch::add(entry, {.uses = 1, .depth = depth}); }
  std::uint64_t quantile(double q) const { return watch::quantile(entry, q); }
};

}  // namespace bast::test
