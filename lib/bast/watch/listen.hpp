// SPDX-License-Identifier: Apache-2.0
//
// Serves an inspector where the kernel denies it access: in a container without ptrace, or under a
// Yama setting that lets only parents trace.
//
//   auto listening = bast::watch::listener::create();      // keep it: its end closes the socket
//
// A client that may connect (the same user, or root) receives a copy of the registry and the memory
// that it refers to, and permission to trace this process as far as Yama decides. Opt-in: nothing
// listens by default.
#pragma once

#include <utility>

#include "bast/base.hpp"

namespace bast::watch {

class listener {
 public:
  /// Listens at `path`. If it is null, uses the default of `bast-stacks`: PID.sock in the directory
  /// bast-stacks of $XDG_RUNTIME_DIR, else in /tmp/bast-stacks-UID. Starts a thread, with all
  /// signals blocked, that wakes only for a visitor. Errors: `invalid` (the path; the directory is
  /// not private), `limit`, no_memory, io.
  [[nodiscard]] static result<listener> create(const char* path = nullptr) noexcept;

  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  listener(listener&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  listener& operator=(listener&& other) noexcept {
    if (this != &other) {
      stop();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  /// Stops the thread and removes the socket. Waits for a visitor that is being served. In a forked
  /// child, leaves the parent's thread and socket alone.
  ~listener() { stop(); }

  /// The path it listens at; empty if moved from. In a forked child: the parent's path.
  const char* path() const noexcept;

 private:
  struct state;
  explicit listener(state* running) noexcept : state_(running) {}
  static void* serve(void* running) noexcept;
  void stop() noexcept;

  state* state_;
};

}  // namespace bast::watch
