// SPDX-License-Identifier: Apache-2.0
//
// `watcher`: looks at a process on its own thread, on request.
//
// A look at a hundred thousand stacks takes a second, during which keys must work. The owner
// requests a look, polls `ready_fd` with its other descriptors, and takes the result.
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
  /// The thread blocks all signals: they belong to the thread that owns the terminal.
  explicit watcher(look_function look);
  /// Waits for a look in progress.
  ~watcher();
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;

  /// Starts a look, unless one is in progress.
  void ask();
  bool busy() const;
  /// Readable when there is a result to take; -1 if no descriptor was available.
  int ready_fd() const noexcept { return ready_fd_; }
  /// The result of the last look, once.
  std::optional<std::expected<snapshot, problem>> take();

 private:
  void work();

  look_function look_;
  int ready_fd_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable asked_;  // or stopped
  bool wanted_ = false;            // requested, without a result yet
  bool over_ = false;
  std::optional<std::expected<snapshot, problem>> seen_;
  std::thread thread_;
};

}  // namespace bast_stacks::draw
