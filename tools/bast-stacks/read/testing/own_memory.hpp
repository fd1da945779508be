// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks::testing {

/// This process's own memory, except for one range. All of a stack is resident.
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
      // By the kernel: a sanitizer would report reads beyond the end of a shorter object.
      const iovec to{.iov_base = each.into.data(), .iov_len = each.into.size()};
      const iovec from{.iov_base = reinterpret_cast<void*>(each.address),
                       .iov_len = each.into.size()};
      each.present = ::process_vm_readv(::getpid(), &to, 1, &from, 1, 0) ==
                     static_cast<ssize_t>(each.into.size());
    }
  }
};

}  // namespace bast_stacks::testing
