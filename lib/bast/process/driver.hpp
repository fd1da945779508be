// SPDX-License-Identifier: Apache-2.0
//
// `process_driver`: a process machine and the loop that runs it. The base of epoll_adapter and
// uring_adapter; starting a command depends on no other part of a loop.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

/// Owned by the thread that created it, until that thread ends: on another thread, functions that
/// return a result fail with `wrong_thread`, and the others end the process (IO-16). Only
/// `cancel_from_anywhere` may be called by other threads, until the end. It must be idle when its
/// thread ends, because no other thread can drive it; any thread may then destroy it. Code that
/// its own loop called must not destroy it (checked). In a forked child it fails with `forked`, is
/// idle, and may be destroyed in any state (IO-15).
class process_driver {
 public:
  /// A driver is on the heap (os/heap.hpp), because waiting coroutines know its address; `create`
  /// makes it.
  static void* operator new(std::size_t size) noexcept { return os::allocate(size); }
  static void operator delete(void* driver) noexcept { os::deallocate(driver); }

  process_driver(const process_driver&) = delete;
  process_driver& operator=(const process_driver&) = delete;

  /// Fails if `start` has no room for another process. Errors: those of `start` except `invalid`.
  [[nodiscard]] result<void> has_room() const noexcept;
  /// process_machine::start, at the current time, of a child whose descriptors this driver closes.
  /// On an error `child` is unchanged. Errors: forked, wrong_thread; those of
  /// process_machine::start.
  [[nodiscard]] result<process_id> start(process_child&& child) noexcept;
  /// process_machine::cancel, at the current time. Errors: forked, wrong_thread; those of
  /// process_machine::cancel.
  [[nodiscard]] result<void> cancel(process_id id) noexcept;
  /// process_machine::take, at the current time. Errors: forked, wrong_thread; those of
  /// process_machine::take.
  [[nodiscard]] result<std::size_t> take(process_id id, output_stream which,
                                         std::span<std::byte> into) noexcept;
  /// Writes what the input pipe of a process holds at once, and returns the number of bytes. If
  /// that is 0, `progress` is called when it can hold more. Raises no SIGPIPE. Errors: `closed` (it
  /// has no input pipe, or nobody reads it); stale_handle; forked, wrong_thread; io.
  [[nodiscard]] result<std::size_t> write(process_id id, std::span<const std::byte> bytes) noexcept;
  /// process_machine::close_input, at the current time. Errors: forked, wrong_thread; stale_handle.
  [[nodiscard]] result<void> close_input(process_id id) noexcept;
  /// process_machine::hang_up, at the current time. Errors: forked, wrong_thread; stale_handle.
  [[nodiscard]] result<void> hang_up(process_id id) noexcept;
  /// Sends a signal to a process itself, not to its group. Errors: `invalid`, the number;
  /// stale_handle if the process has ended; forked, wrong_thread; io (EPERM).
  [[nodiscard]] result<void> signal(process_id id, int number) noexcept;
  /// Cancels from any thread; no effect after the process has ended. Never fails: if the thread
  /// cannot wake this one, the request is handled when this one next checks.
  void cancel_from_anywhere(process_id id) noexcept;

  /// The executor of coroutines that wait for a process of this driver: the scheduler that runs the
  /// thread, or this driver's loop. Errors: forked, wrong_thread.
  [[nodiscard]] result<internal::executor*> continues() noexcept;

  process_machine& machine() noexcept {
    require_owner();
    return *machine_;
  }
  const process_machine& machine() const noexcept {
    require_owner();
    return *machine_;
  }

  /// The driver of the calling thread: the latest that was created on it and still exists, or null.
  static process_driver* of_this_thread() noexcept;

 protected:
  /// `wake` is an eventfd (os::make_event), which `machine` polls.
  process_driver(os::descriptor wake, std::unique_ptr<process_machine> machine) noexcept
      : machine_(std::move(machine)),
        wake_(std::move(wake)),
        ready_(wake_hook{.wake = ring, .context = this}) {}
  ~process_driver() { require_last_owner(); }
  /// Fails if the caller may not use the driver. Errors: forked, wrong_thread.
  [[nodiscard]] result<void> check_owner(static_string operation) const noexcept;
  /// For functions without a result: ends the process on a wrong thread.
  void require_owner() const noexcept;
  /// Called first in a driver's destructor: ends the process on a wrong thread.
  void require_last_owner() const noexcept;
  bool is_forked() const noexcept { return ready_.is_forked(); }
  /// Called when the machine may request operations.
  virtual void machine_changed() noexcept = 0;
  /// The ready coroutines, for the loop to run.
  ready_queue& ready() noexcept { return ready_; }
  const ready_queue& ready() const noexcept { return ready_; }
  /// While one exists, the loop is awake and runs `ready` before it sleeps.
  using attended = ready_queue::attended;
  /// Returns true inside `finished` and inside a coroutine that this loop resumed: a call that
  /// waits for the loop would deadlock there.
  bool is_within_loop() const noexcept { return machine_->is_delivering() || ready_.is_running(); }
  /// Calls the hook of `ready`.
  void tell_loop() noexcept { ready_.tell(); }
  /// Keeps the wake descriptor polled while a coroutine waits with this loop.
  void hold_wake_for_waiters() noexcept { machine_->hold_wake(ready_.waiting() != 0); }

  static time_point now() noexcept { return internal::time_of(os::monotonic_ns()); }

  const std::unique_ptr<process_machine> machine_;

 private:
  /// The hook of `ready`: wakes the loop, from any thread.
  static void ring(void* self) noexcept;
  void advance() noexcept;
  /// Calls the machine at the current time, and reports to the loop (P-23). Errors: forked,
  /// wrong_thread; those of `f`.
  template <class F>
  auto change(static_string operation, F f) noexcept -> decltype(f());

  os::descriptor wake_;
  // Identifies the thread, the process, and the other drivers of the thread.
  ready_queue ready_;
};

}  // namespace bast::inline BAST_ABI
