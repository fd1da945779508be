// SPDX-License-Identifier: Apache-2.0
//
// The loop under the commands of the demo: its own io_uring with bast's adapter on it, or epoll if
// io_uring is refused.
#pragma once

#include <bast/process.hpp>
#include <cstddef>
#include <memory>

namespace demo {

class command_loop {
 public:
  command_loop() = default;
  command_loop(const command_loop&) = delete;
  command_loop& operator=(const command_loop&) = delete;
  /// Ends all remaining processes.
  virtual ~command_loop() = default;

  virtual const char* name() const = 0;
  virtual bast::process_driver& driver() = 0;
  /// Waits for events and handles them. Returns at once if no process is left. Throws
  /// std::runtime_error if the kernel refuses to wait.
  virtual void turn() = 0;
};

/// The best available loop. Throws std::runtime_error.
std::unique_ptr<command_loop> make_command_loop(std::size_t processes_max);

}  // namespace demo
