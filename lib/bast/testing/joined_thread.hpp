// SPDX-License-Identifier: Apache-2.0
//
// A thread that its destructor joins: std::jthread without its stop token, for libc++ before 20,
// where that is experimental.
#pragma once

#include <concepts>
#include <thread>
#include <utility>

namespace bast::test {

class joined_thread {
 public:
  template <std::invocable Body>
  explicit joined_thread(Body body) : thread_(std::move(body)) {}
  ~joined_thread() {
    if (thread_.joinable()) thread_.join();
  }
  joined_thread(joined_thread&&) = default;
  joined_thread& operator=(joined_thread&&) = delete;

  auto native_handle() { return thread_.native_handle(); }

 private:
  std::thread thread_;
};

}  // namespace bast::test
