// SPDX-License-Identifier: Apache-2.0
//
// `process_driver`: a machine and whoever runs it, which is what epoll_adapter and uring_adapter
// have in common, and all that starting a command needs to know of a loop.
#pragma once

#include <cstdint>

#include "bast/os.hpp"
#include "bast/process/machine.hpp"

namespace bast {

/// Owned by one thread; only `cancel_from_anywhere` may be called by others, until the end.
class process_driver {
 public:
  process_driver(const process_driver&) = delete;
  process_driver& operator=(const process_driver&) = delete;

  /// process_machine::start, by the time of now.
  [[nodiscard]] result<process_id> start(const process_start& child) noexcept;
  /// process_machine::cancel, by the time of now.
  [[nodiscard]] result<void> cancel(process_id id) noexcept;
  /// Cancels from any thread; a process that has ended is left alone. Never fails: a thread that
  /// cannot wake this one leaves the request for the next time that this one looks.
  void cancel_from_anywhere(process_id id) noexcept;

  process_machine& machine() noexcept { return machine_; }
  const process_machine& machine() const noexcept { return machine_; }

  /// The driver of the calling thread: the latest that was initialised on it and still lives. Null
  /// when there is none.
  static process_driver* of_this_thread() noexcept;

 protected:
  process_driver() noexcept = default;
  ~process_driver();

  /// Once. `operation` names the caller in errors. Errors: bad_state, `invalid`, `limit`
  /// (descriptors), no_memory.
  [[nodiscard]] result<void> begin(process_machine_options options, const char* operation) noexcept;
  /// Something may be wanted of the machine.
  virtual void stirred() noexcept = 0;

  process_machine machine_;

 private:
  os::descriptor wake_;
  process_driver* outer_ = nullptr;  // this thread's until this one ends
};

}  // namespace bast
