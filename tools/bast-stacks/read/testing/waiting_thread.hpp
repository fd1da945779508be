// SPDX-License-Identifier: Apache-2.0
//
// A thread of the test, for code that watches threads.
#pragma once

#include <unistd.h>

#include <latch>
#include <thread>

namespace bast_stacks::testing {

/// A thread that waits for its release.
class waiting_thread {
 public:
  waiting_thread()
      : thread_([this] {
          id_ = ::gettid();
          began_.count_down();
          may_end_.wait();
        }) {
    began_.wait();
  }
  ~waiting_thread() {
    may_end_.count_down();
    thread_.join();
  }
  waiting_thread(const waiting_thread&) = delete;
  waiting_thread& operator=(const waiting_thread&) = delete;
  pid_t id() const { return id_; }

 private:
  std::latch began_{1};
  std::latch may_end_{1};
  pid_t id_ = 0;
  std::thread thread_;
};

}  // namespace bast_stacks::testing
