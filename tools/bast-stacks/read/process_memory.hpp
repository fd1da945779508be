// SPDX-License-Identifier: Apache-2.0
//
// The memory of a running process, read without stopping it: process_vm_readv for what it holds,
// /proc/PID/pagemap for what is there. Reading a page that was never touched maps the zero page
// into the target, so whoever reads stacks asks `residency` first and reads nothing else.
#pragma once

#include <sys/types.h>

#include "read/memory.hpp"

namespace bast_stacks {

class process_memory final : public memory {
 public:
  explicit process_memory(pid_t pid);

  /// Whether the kernel lets us read it: 0, or errno of an attempt to read `address`.
  int try_read(std::uint64_t address);

  bool residency(extent where, std::vector<resident_extent>& found) override;

 private:
  void read_pieces(std::span<piece> pieces) override;
  void read_batch(std::span<piece> pieces);

  pid_t pid_;
  descriptor pagemap_;  // of /proc/PID/pagemap, where it may be opened
};

/// The same from a descriptor of any process's pagemap. False when it cannot be read.
bool scan_pagemap(int pagemap, extent where, std::vector<resident_extent>& found);
/// Without the ioctl of Linux 6.7, a word for every page.
bool read_pagemap(int pagemap, extent where, std::vector<resident_extent>& found);

}  // namespace bast_stacks
