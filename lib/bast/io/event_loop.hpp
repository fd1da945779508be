// SPDX-License-Identifier: Apache-2.0
//
// `event_loop`: the time and the events of one worker: a wheel of timers over a backend.
//
//   event_loop loop(backend);
//   loop.turn(0);                       // what has happened, without waiting
//   loop.turn(no_deadline_ns);          // nothing is ready: sleep until something happens
//
//   I1  All functions but wake() are called on the thread that constructed it.
//   I2  A turn looks at the backend once, then calls each timer that has expired by then; one that
//       is armed again for a time that has passed does not hold up the turn's end. So timers cannot
//       starve descriptors, nor the other way round; and of a descriptor and a time limit that are
//       both due in one turn, the descriptor wins.
#pragma once

#include "bast/io/backend.hpp"
#include "bast/io/wheel.hpp"

namespace bast::inline BAST_ABI {
class thread_pool;
}

namespace bast::inline BAST_ABI::internal {

/// The time of a turn that nothing ends but an event.
inline constexpr std::uint64_t no_deadline_ns = UINT64_MAX;

/// A timer of an event_loop, owned by its user.
struct loop_timer : timer {
  /// Called within turn(), when it is armed no more. May arm it again, or destroy it.
  void (*expired)(loop_timer& self) noexcept = nullptr;
};

class event_loop {
 public:
  explicit event_loop(io_backend& backend) noexcept
      : backend_(backend), timers_(backend.now_ns()) {}
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;
  /// No timer may be armed, and no thread may be in it (checked).
  ~event_loop();

  /// The loop of the calling thread, which its worker has entered, or null; null in a forked child,
  /// too (IO-15).
  static event_loop* here() noexcept;
  /// The worker's thread enters it, and leaves it with null, before the loop ends.
  static void enter(event_loop* loop) noexcept;

  wheel& timers() noexcept { return timers_; }
  const wheel& timers() const noexcept { return timers_; }
  io_backend& backend() noexcept { return backend_; }

  /// The time that a duration begins at: a fresh reading of the clock.
  [[nodiscard]] std::uint64_t now_ns() noexcept { return backend_.now_ns(); }
  /// The time of the latest turn.
  [[nodiscard]] std::uint64_t turn_ns() const noexcept { return timers_.now_ns(); }
  /// Arms. If that time has passed, it is called in the next turn, in which the clock has moved.
  void arm(loop_timer& armed, std::uint64_t at_ns) noexcept { timers_.arm(armed, at_ns); }
  void disarm(loop_timer& removed) noexcept { (void)timers_.disarm(removed); }

  /// Where blocking() runs its functions, if its caller names no pool; null: nowhere. The runtime
  /// sets it.
  void use_pool(thread_pool* pool) noexcept { pool_ = pool; }
  thread_pool* pool() const noexcept { return pool_; }

  /// Calls `ready` of each descriptor that is, and `expired` of each timer that is due. Waits for
  /// the first of them, for a wake, or until `until_ns`; 0 does not wait. Returns how many were
  /// called. An error of the backend is one turn without descriptors: the process ends after a
  /// thousand in a row. Not within a turn (checked), nor in a forked child, where it does nothing.
  std::size_t turn(std::uint64_t until_ns) noexcept;
  /// Any thread: ends a turn that waits, this one or the next.
  void wake() noexcept { backend_.wake(); }

 private:
  io_backend& backend_;
  wheel timers_;
  os::fork_mark process_ = os::fork_mark::here();
  thread_pool* pool_ = nullptr;
  std::uint32_t failures_ = 0;
  bool turning_ = false;
};

}  // namespace bast::inline BAST_ABI::internal
