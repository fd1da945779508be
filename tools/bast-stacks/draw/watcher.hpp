// SPDX-License-Identifier: Apache-2.0
//
// `watcher`: looks at a process from a thread of its own, when asked.
//
// A look at a hundred thousand stacks takes a second, in which keys should be answered. The owner
// asks, waits for `ready_fd` beside its other descriptors, and takes what was seen.
#pragma once

#include <condition_variable>
#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "model/snapshot.hpp"

namespace bast_stacks::draw {

using look_function = std::function<std::expected<snapshot, problem>()>;

class watcher {
 public:
  /// The thread takes no signals: those belong to the thread that owns the terminal.
  explicit watcher(look_function look);
  /// Waits for a look that is under way.
  ~watcher();
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;

  /// Starts a look, unless one is under way.
  void ask();
  bool busy() const;
  /// Readable once there is something to take; -1 when the system has no descriptor left.
  int ready_fd() const noexcept { return ready_fd_; }
  /// What the last look saw, once.
  std::optional<std::expected<snapshot, problem>> take();

 private:
  void work();

  look_function look_;
  int ready_fd_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable asked_;  // or over
  bool wanted_ = false;            // asked for, and not seen yet
  bool over_ = false;
  std::optional<std::expected<snapshot, problem>> seen_;
  std::thread thread_;
};

}  // namespace bast_stacks::draw
