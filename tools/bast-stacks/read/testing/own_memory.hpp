// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks::testing {

/// This process's own memory, but for one range. All of a stack is resident.
class own_memory final : public memory {
 public:
  extent absent{};

  bool residency(extent where, std::vector<resident_extent>& found) override {
    found.push_back({.where = where});
    return true;
  }

 private:
  void read_pieces(std::span<piece> pieces) override {
    for (piece& each : pieces) {
      const std::uint64_t end = each.address + each.into.size();
      each.present = end <= absent.low || each.address >= absent.high;
      if (!each.present) continue;
      std::memcpy(each.into.data(), reinterpret_cast<const void*>(each.address), each.into.size());
    }
  }
};

}  // namespace bast_stacks::testing
