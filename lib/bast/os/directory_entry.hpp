// SPDX-License-Identifier: Apache-2.0
//
// A directory entry of getdents64, for code that cannot use opendir because it must not allocate.
// The child of a start parses entries itself: it may call no function of this library
// (process/spawn_child.cpp).
#pragma once

#include <bast/config.hpp>
#include <cstdint>
#include <cstring>

namespace bast::inline BAST_ABI::os {

/// A record of the buffer, struct linux_dirent64: ino 8 bytes, off 8, reclen 2, type 1, name.
struct directory_entry {
  std::uint16_t length = 0;  // to the next record, in bytes
  const char* name = nullptr;

  static directory_entry at(const char* record) noexcept {
    directory_entry found{.length = 0, .name = record + 19};
    std::memcpy(&found.length, record + 16, sizeof found.length);
    return found;
  }
};

}  // namespace bast::inline BAST_ABI::os
