// SPDX-License-Identifier: Apache-2.0
//
// `process_driver`: a machine and whoever runs it, which is what epoll_adapter and uring_adapter
// have in common, and all that starting a command needs to know of a loop.
#pragma once

#include <cstdint>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

/// Owned by the thread that initialised it, until that thread ends: what answers with a result
/// answers `wrong_thread` on another one, and what cannot ends the process (IO-16). Only
/// `cancel_from_anywhere` may be called by others, until the end. Once its thread has ended, any
/// thread may destroy it; never what its own loop called (checked). In a forked child it answers
/// `forked`, is idle, and may be destroyed in whatever state it is (IO-15).
class process_driver {
 public:
  process_driver(const process_driver&) = delete;
  process_driver& operator=(const process_driver&) = delete;

  /// Whether `start` would follow one more. Errors: those of `start` but `invalid`.
  [[nodiscard]] result<void> has_room() const noexcept;
  /// process_machine::start, by the time of now, of a child whose descriptors this driver closes.
  /// On an error `child` is as it was. Errors: bad_state (no init), wrong_thread; those of
  /// process_machine::start.
  [[nodiscard]] result<process_id> start(process_child&& child) noexcept;
  /// process_machine::cancel, by the time of now. Errors: bad_state (no init), wrong_thread; those
  /// of process_machine::cancel.
  [[nodiscard]] result<void> cancel(process_id id) noexcept;
  /// Cancels from any thread; a process that has ended is left alone. Never fails: a thread that
  /// cannot wake this one leaves the request for the next time that this one looks.
  void cancel_from_anywhere(process_id id) noexcept;

  /// The executor of coroutines that wait for a process of this driver: the scheduler that runs the
  /// thread, or this driver's loop. Errors: bad_state (no init), forked, wrong_thread.
  [[nodiscard]] result<internal::executor*> continues() noexcept;

  process_machine& machine() noexcept {
    require_owner();
    return machine_;
  }
  const process_machine& machine() const noexcept {
    require_owner();
    return machine_;
  }

  /// The driver of the calling thread: the latest that was initialised on it and still lives. Null
  /// when there is none.
  static process_driver* of_this_thread() noexcept;

 protected:
  process_driver() noexcept {}  // NOLINT(modernize-use-equals-default): of the union
  ~process_driver();

  /// Once. `operation` names the caller in errors. Errors: bad_state, `invalid`, `limit`
  /// (descriptors), no_memory.
  [[nodiscard]] result<void> begin(process_machine_options options, const char* operation) noexcept;
  /// What keeps it from beginning. Errors: bad_state (it did before), forked.
  [[nodiscard]] result<void> check_fresh(const char* operation) const noexcept;
  /// What keeps the caller from using it. Errors: bad_state (no init), forked, wrong_thread.
  [[nodiscard]] result<void> check_owner(const char* operation) const noexcept;
  /// The same for what has no result: ends the process on a wrong thread.
  void require_owner() const noexcept;
  /// The first thing in the destructor of a driver: ends the process on a wrong thread.
  void require_last_owner() const noexcept;
  bool is_forked() const noexcept { return has_begun() && ready_.is_forked(); }
  /// Something may be wanted of the machine.
  virtual void stirred() noexcept = 0;
  /// The ready coroutines, for the loop to run. Requires `begin`.
  ready_queue& ready() noexcept { return ready_; }
  const ready_queue& ready() const noexcept { return ready_; }
  /// While one exists, the loop is awake and runs `ready` before it sleeps.
  using attended = ready_queue::attended;
  /// Returns true inside `finished` and inside a coroutine that this loop resumed: a call that
  /// waits for the loop would deadlock there.
  bool is_within_loop() const noexcept { return machine_.is_delivering() || ready_.is_running(); }
  /// Calls the hook of `ready`.
  void tell_loop() noexcept { ready_.tell(); }
  /// Keeps the wake descriptor polled while a coroutine waits with this loop.
  void hold_wake_for_waiters() noexcept { machine_.hold_wake(ready_.waiting() != 0); }

  process_machine machine_;

 private:
  /// The hook of `ready`: wakes the loop, from any thread.
  static void ring(void* self) noexcept;
  bool has_begun() const noexcept { return static_cast<bool>(wake_); }
  void stir() noexcept;

  os::descriptor wake_;
  // From begin() on. Knows the thread, the process, and the other drivers of the thread.
  union {
    ready_queue ready_;
  };
};

}  // namespace bast::inline BAST_ABI
