// SPDX-License-Identifier: Apache-2.0
//
// The kernel interface of an event loop: waiting for descriptors (epoll), and waking by another
// thread (eventfd). Every descriptor is closed on exec.
#pragma once

#include <cstdint>
#include <span>

#include "bast/base.hpp"
#include "bast/os/descriptor.hpp"

struct epoll_event;

namespace bast::inline BAST_ABI::os {

/// An eventfd that does not block. Errors: `limit` (no free descriptor), no_memory.
[[nodiscard]] result<descriptor> make_event() noexcept;
/// Makes it readable. Thread-safe, async-signal-safe. Errors: io. EAGAIN is no error: it is
/// readable already.
[[nodiscard]] result<void> set_event(int event) noexcept;

/// What to wait for; that a descriptor is hung up or in error is always reported.
enum class readiness : std::uint8_t { readable, writable, either };

/// An epoll set. Errors: `limit`, no_memory.
[[nodiscard]] result<descriptor> make_poller() noexcept;
/// Reports once when `fd` is ready or hung up, by an event that carries `data`. Replaces an earlier
/// request for that descriptor. Errors: no_memory, `limit` (fs.epoll.max_user_watches), io
/// (EPERM: the descriptor cannot be waited for).
[[nodiscard]] result<void> watch_once(int poller, int fd, std::uint64_t data,
                                      readiness awaited = readiness::readable) noexcept;
/// Reports each time that `fd` becomes readable, or more so (each set_event), until unwatch(); its
/// content need not be read. Errors: as watch_once.
[[nodiscard]] result<void> watch_edges(int poller, int fd, std::uint64_t data) noexcept;
/// Cancels the request. Best effort: an event that is reported nevertheless carries the old data.
void unwatch(int poller, int fd) noexcept;
/// Waits for an event, a signal, or until `deadline_ns`; INT64_MAX means no deadline, and a past
/// deadline returns at once. Never early; up to 1 ms late on kernels before 5.11, which count in
/// milliseconds. Returns the number of events. Errors: io.
[[nodiscard]] result<std::size_t> wait_events(int poller, std::span<epoll_event> events,
                                              std::int64_t deadline_ns) noexcept;

/// Looks at a descriptor without waiting: true if `awaited` would be reported at once; always, for
/// a file. Errors: io (EBADF: it is not open), no_memory.
[[nodiscard]] result<bool> is_ready(int fd, readiness awaited) noexcept;

}  // namespace bast::inline BAST_ABI::os
