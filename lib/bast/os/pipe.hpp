// SPDX-License-Identifier: Apache-2.0
//
// Bytes between processes: pipes, files in memory, reading and writing.
// All functions are thread-safe; none allocates from the heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bast/base.hpp"
#include "bast/os/descriptor.hpp"

namespace bast::os {

struct pipe_ends {
  descriptor read_end;
  descriptor write_end;
};

/// A pipe whose ends block and are closed on exec. Errors: `limit` (no free descriptor), no_memory.
[[nodiscard]] result<pipe_ends> make_pipe() noexcept;

/// Makes one open file description non-blocking. The two ends of a pipe are two descriptions: the
/// other process never notices (law P-5).
[[nodiscard]] result<void> set_nonblocking(int fd) noexcept;

/// Reads at most `space.size()` bytes; 0 is the end. EINTR is tried again. Errors: io, `limit`
/// (EAGAIN: nothing there, and the description does not block).
[[nodiscard]] result<std::size_t> read_some(int fd, std::span<std::byte> space) noexcept;
/// Writes at least one byte unless `bytes` is empty. EINTR is tried again. Raises SIGPIPE where
/// write(2) does. Errors: as read_some; `closed` (EPIPE).
[[nodiscard]] result<std::size_t> write_some(int fd, std::span<const std::byte> bytes) noexcept;

/// True when a file may become `end` bytes long: writing beyond RLIMIT_FSIZE, or making a file
/// longer than that, raises a signal that ends the process (SIGXFSZ). Asked before every such call.
[[nodiscard]] bool may_write_up_to(std::uint64_t end) noexcept;

/// A nameless file in memory that holds `contents`, to be read from its start, and that nobody can
/// change; `name` is what /proc shows. Errors: no_memory, `limit`; io (EFBIG: RLIMIT_FSIZE).
[[nodiscard]] result<descriptor> memory_file(const char* name,
                                             std::span<const std::byte> contents) noexcept;

}  // namespace bast::os
