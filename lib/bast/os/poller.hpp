// SPDX-License-Identifier: Apache-2.0
//
// What an event loop needs of the kernel besides the time: waiting for descriptors (epoll), and
// being woken by another thread (eventfd). Every descriptor is closed on exec.
#pragma once

#include <cstdint>
#include <span>

#include "bast/base.hpp"
#include "bast/os/descriptor.hpp"

struct epoll_event;

namespace bast::os {

/// An eventfd that does not block. Errors: `limit` (no free descriptor), no_memory.
[[nodiscard]] result<descriptor> make_event() noexcept;
/// Makes it readable. Thread-safe, async-signal-safe. Errors: io; EAGAIN, which is none: it is
/// readable already.
[[nodiscard]] result<void> set_event(int event) noexcept;

/// An epoll set. Errors: `limit`, no_memory.
[[nodiscard]] result<descriptor> make_poller() noexcept;
/// Tells once when `fd` is readable or hung up, by an event that carries `data`. Replaces what was
/// asked about that descriptor before. Errors: no_memory, `limit` (fs.epoll.max_user_watches), io
/// (EPERM: nothing that can be waited for).
[[nodiscard]] result<void> watch_once(int poller, int fd, std::uint64_t data) noexcept;
/// Tells no more. Best effort: an event that is told nevertheless carries the old data.
void unwatch(int poller, int fd) noexcept;
/// Waits until something is told, a signal comes or `deadline_ns` has passed; INT64_MAX is never,
/// and an instant of the past returns at once. Never early; up to 1 ms late. Returns how many
/// events there are. Errors: io.
[[nodiscard]] result<std::size_t> wait_events(int poller, std::span<epoll_event> events,
                                              std::int64_t deadline_ns) noexcept;

}  // namespace bast::os
