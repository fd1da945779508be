// SPDX-License-Identifier: Apache-2.0
//
// `thread`: an OS thread of the library, which its owner joins.
#pragma once

#include <sys/types.h>

#include <utility>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// Which signals of the process a thread handles.
enum class thread_signals : std::uint8_t {
  none,       // all are blocked in it, except those that its own instructions raise
  inherited,  // those of the thread that starts it
};

/// The scheduling class of a thread: sched(7).
enum class thread_class : std::uint8_t { batch, idle };

class thread {
 public:
  using function = void* (*)(void* argument);

  thread() noexcept = default;
  thread(const thread&) = delete;
  thread& operator=(const thread&) = delete;
  thread(thread&& other) noexcept
      : id_(other.id_), joinable_(std::exchange(other.joinable_, false)) {}
  thread& operator=(thread&& other) noexcept {
    BAST_CHECK(!joinable_, "a thread is replaced that was not joined");
    id_ = other.id_;
    joinable_ = std::exchange(other.joinable_, false);
    return *this;
  }
  /// It must have been joined, or never started (checked).
  ~thread() { BAST_CHECK(!joinable_, "a thread ends that was not joined"); }

  /// Runs `body(argument)`, which must not throw. Errors: `limit` (EAGAIN), no_memory.
  [[nodiscard]] static result<thread> start(function body, void* argument,
                                            thread_signals signals = thread_signals::none) noexcept;
  /// Puts the calling thread into the class. Lowering one's own needs no right: never fails.
  static void lower(thread_class to) noexcept;
  /// Lets other threads run: sched_yield(2).
  static void yield() noexcept;
  bool joinable() const noexcept { return joinable_; }
  /// Waits until its function has returned. Not by itself.
  void join() noexcept;
  /// In a forked child, which does not have the thread.
  void forget() noexcept { joinable_ = false; }

 private:
  pthread_t id_{};
  bool joinable_ = false;
};

}  // namespace bast::inline BAST_ABI::os
