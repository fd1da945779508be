// SPDX-License-Identifier: Apache-2.0
//
// Unix sockets for the inspection of one process by another: a socket in the file system, the
// identity of the peer, and the transfer of a descriptor. All descriptors are closed on exec.
// Thread-safe; nothing allocates from the heap.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "bast/base.hpp"
#include "bast/os/descriptor.hpp"

namespace bast::inline BAST_ABI::os {

/// Creates a directory that only this user can enter, or checks an existing one. Errors: `invalid`
/// (it belongs to another user, is open to others, or is no directory), io.
[[nodiscard]] result<void> private_directory(const char* path) noexcept;

/// A stream socket that listens at `path`; replaces a file that an earlier process left there.
/// Errors: `invalid` (an empty path, or one of more than 107 bytes), `limit`, io.
[[nodiscard]] result<descriptor> listen_at(const char* path) noexcept;
/// Removes the file of a socket; never fails.
void remove_socket(const char* path) noexcept;

/// The next connection; waits for one. Errors: `limit`, io.
[[nodiscard]] result<descriptor> accept_from(int listening) noexcept;

struct peer {
  pid_t pid = 0;
  uid_t user = 0;
};
/// The identity of the peer. Errors: io.
[[nodiscard]] result<peer> peer_of(int connection) noexcept;

/// Sends `message` and, with its first byte, a copy of the descriptor `passed`. Errors: io,
/// `closed`.
[[nodiscard]] result<void> send_descriptor(int connection, std::span<const std::byte> message,
                                           int passed) noexcept;

/// Lets `tracer` and its descendants read this process's memory where Yama's ptrace_scope is 1.
/// Best effort: a kernel without Yama needs no permission.
void allow_tracer(pid_t tracer) noexcept;

/// A nameless file in memory that can be sealed. Errors: no_memory, `limit`.
[[nodiscard]] result<descriptor> sealable_file(const char* name) noexcept;
/// Copies memory to the file at `offset`. Returns false if part of it is not readable, or the file
/// cannot grow (RLIMIT_FSIZE among the reasons). Never faults. Sanitizers do not check it: the
/// memory may belong to another thread.
[[nodiscard]] bool copy_to_file(int fd, const void* memory, std::size_t size,
                                std::uint64_t offset) noexcept;
/// Makes the file permanently immutable. Errors: io.
[[nodiscard]] result<void> seal(int fd) noexcept;

}  // namespace bast::inline BAST_ABI::os
