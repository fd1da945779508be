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

/// What to wait for; that a descriptor is hung up is always reported.
enum class readiness : std::uint8_t { readable, writable };

/// An epoll set. Errors: `limit`, no_memory.
[[nodiscard]] result<descriptor> make_poller() noexcept;
/// Reports once when `fd` is ready or hung up, by an event that carries `data`. Replaces an earlier
/// request for that descriptor. Errors: no_memory, `limit` (fs.epoll.max_user_watches), io
/// (EPERM: the descriptor cannot be waited for).
[[nodiscard]] result<void> watch_once(int poller, int fd, std::uint64_t data,
                                      readiness awaited = readiness::readable) noexcept;
/// Cancels the request. Best effort: an event that is reported nevertheless carries the old data.
void unwatch(int poller, int fd) noexcept;
/// Waits for an event, a signal, or until `deadline_ns`; INT64_MAX means no deadline, and a past
/// deadline returns at once. Never early; up to 1 ms late. Returns the number of events. Errors:
/// io.
[[nodiscard]] result<std::size_t> wait_events(int poller, std::span<epoll_event> events,
                                              std::int64_t deadline_ns) noexcept;

}  // namespace bast::inline BAST_ABI::os
