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

namespace bast::inline BAST_ABI::os {

struct pipe_ends {
  descriptor read_end;
  descriptor write_end;
};

/// A pipe whose ends block and are closed on exec. Errors: `limit` (no free descriptor), no_memory.
[[nodiscard]] result<pipe_ends> make_pipe() noexcept;

/// Makes one open file description non-blocking. The two ends of a pipe are two descriptions, so
/// the other process is unaffected (law P-5).
[[nodiscard]] result<void> set_nonblocking(int fd) noexcept;
/// The reverse.
[[nodiscard]] result<void> set_blocking(int fd) noexcept;

/// Reads at most `space.size()` bytes; 0 is the end. Retries EINTR. Errors: io, `limit`
/// (EAGAIN: no data, and the description does not block).
[[nodiscard]] result<std::size_t> read_some(int fd, std::span<std::byte> space) noexcept;
/// Writes at least one byte unless `bytes` is empty. Retries EINTR. Raises no SIGPIPE. Errors: as
/// read_some; `closed` (EPIPE).
[[nodiscard]] result<std::size_t> write_some(int fd, std::span<const std::byte> bytes) noexcept;

/// True if a file may become `end` bytes long. Check before every write or extension: beyond
/// RLIMIT_FSIZE, either raises a signal that ends the process (SIGXFSZ).
[[nodiscard]] bool may_write_up_to(std::uint64_t end) noexcept;

/// An immutable, nameless file in memory that holds `contents`, positioned at its start; `name`
/// appears in /proc. Errors: no_memory, `limit`; io (EFBIG: RLIMIT_FSIZE).
[[nodiscard]] result<descriptor> memory_file(const char* name,
                                             std::span<const std::byte> contents) noexcept;

}  // namespace bast::inline BAST_ABI::os
