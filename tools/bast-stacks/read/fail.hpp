// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// A problem without a remedy.
inline std::unexpected<problem> fail(std::string what) {
  return std::unexpected(problem{.what = std::move(what), .remedy = {}});
}

}  // namespace bast_stacks
