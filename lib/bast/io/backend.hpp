// SPDX-License-Identifier: Apache-2.0
//
// `io_backend`: what one worker sees of the outside: the clock, descriptors that become ready, and
// wakes by other threads. A worker sleeps in it and nowhere else. `epoll_backend` is the one for
// programs.
//
//   I1  All functions but wake() are called on the thread that the backend belongs to.
//   I2  A watch is reported at most once: by `ready`, within wait(), or not at all after unwatch().
//   I3  A wake before, during or after wait() ends that one or the next (IO-9).
#pragma once

#include <bast/config.hpp>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

/// One wait for one direction of a descriptor, owned by its user. It must not move while it is
/// watched.
struct descriptor_watch {
  int fd = -1;
  os::readiness awaited = os::readiness::readable;  // or writable
  /// Called within io_backend::wait(), after the watch has ended. May watch again, or destroy it.
  void (*ready)(descriptor_watch& self) noexcept = nullptr;
  bool watched = false;  // the backend's
};

class io_backend {
 public:
  io_backend() = default;
  io_backend(const io_backend&) = delete;
  io_backend& operator=(const io_backend&) = delete;
  virtual ~io_backend() = default;

  /// CLOCK_MONOTONIC, or the time of a simulation.
  [[nodiscard]] virtual std::uint64_t now_ns() noexcept = 0;
  /// What watch() needs for this descriptor, so that it allocates nothing (O-17). Errors: invalid
  /// (a negative number), no_memory.
  [[nodiscard]] virtual result<void> reserve(int fd) noexcept = 0;
  /// Reports once when the descriptor is ready, hung up or in error; also if it is so already.
  /// After reserve(). Errors: busy (this direction of it is watched already: IO-4); io (EBADF: it
  /// is not open; EPERM: it is a file, always ready); `limit`, no_memory (the kernel's); forked;
  /// bad_state (without reserve()).
  [[nodiscard]] virtual result<void> watch(descriptor_watch& asked) noexcept = 0;
  /// Ends it, if it has not ended: afterwards `ready` is not called. To be called before the
  /// descriptor is closed; a closed one may never be reported. Never fails.
  virtual void unwatch(descriptor_watch& asked) noexcept = 0;
  /// Watches reported so far and not ended yet.
  [[nodiscard]] virtual std::size_t watched() const noexcept = 0;

  /// Waits for a descriptor, a wake, a signal, or until `until_ns`; 2^64 - 1 is no limit, a time
  /// that has passed is one look. Calls `ready` of each watch that is, of some of them if there are
  /// many. Returns their number. Never early, but for a signal. Errors: io, forked.
  [[nodiscard]] virtual result<std::size_t> wait(std::uint64_t until_ns) noexcept = 0;
  /// Any thread: ends a wait(), this one or the next. Several before it are one. Never fails.
  virtual void wake() noexcept = 0;
};

}  // namespace bast::inline BAST_ABI::internal
