// SPDX-License-Identifier: Apache-2.0
//
// The memory of a running process, read without stopping it: process_vm_readv for the contents,
// /proc/PID/pagemap for the present pages. Reading a page that was never touched maps the zero page
// into the target, so readers of stacks call `residency` first and read nothing else.
#pragma once

#include <sys/types.h>

#include "read/memory.hpp"

namespace bast_stacks {

class process_memory final : public memory {
 public:
  explicit process_memory(pid_t pid);

  /// Whether the kernel permits reading it: 0, or errno of an attempt to read `address`.
  int try_read(std::uint64_t address);

  bool residency(extent where, std::vector<resident_extent>& found) override;

 private:
  void read_pieces(std::span<piece> pieces) override;
  void read_batch(std::span<piece> pieces);

  pid_t pid_;
  descriptor pagemap_;  // of /proc/PID/pagemap, if permitted
};

/// The same with a descriptor of any process's pagemap. False if it cannot be read.
bool scan_pagemap(int pagemap, extent where, std::vector<resident_extent>& found);
/// Without the ioctl of Linux 6.7, one word per page.
bool read_pagemap(int pagemap, extent where, std::vector<resident_extent>& found);

}  // namespace bast_stacks
