// SPDX-License-Identifier: Apache-2.0
//
// Derives the recommendations for shared pools from those for sites. Part of recommend.cpp.
#pragma once

#include <vector>

#include "show/recommend.hpp"

namespace bast_stacks::internal {

/// A reduction of less than an eighth saves too little, and takes the last margin of a site that
/// comes near its limit.
inline bool is_near(std::uint64_t wanted, std::uint64_t limit) noexcept {
  return wanted <= limit && wanted >= limit - limit / 8;
}

/// By place. `sites` of `all` is complete.
std::vector<pool_advice> pools_of(const snapshot& of, const advice& all);

}  // namespace bast_stacks::internal
