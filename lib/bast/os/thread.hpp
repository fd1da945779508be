// SPDX-License-Identifier: Apache-2.0
//
// `thread`: an OS thread of the library, which its owner joins. It handles no signal of the
// process: all are blocked in it, except those that its own instructions raise.
#pragma once

#include <sys/types.h>

#include <utility>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

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
  [[nodiscard]] static result<thread> start(function body, void* argument) noexcept;
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
