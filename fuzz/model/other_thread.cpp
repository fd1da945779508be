// SPDX-License-Identifier: Apache-2.0
#include "model/other_thread.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace bast::model::internal {

namespace {

class other_thread {
 public:
  other_thread() {
    std::thread([this] { serve(); }).detach();
  }

  void run(void (*call)(void*), void* argument) {
    const std::scoped_lock one_at_a_time(callers_);
    std::unique_lock lock(mutex_);
    call_ = call;
    argument_ = argument;
    changed_.notify_all();
    changed_.wait(lock, [this] { return call_ == nullptr; });
  }

 private:
  [[noreturn]] void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return call_ != nullptr; });
      call_(argument_);
      call_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex callers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  void (*call_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace

void run_on_other_thread(void (*call)(void* argument), void* argument) {
  // Never destroyed: its thread waits until the process ends.
  static other_thread* const other = new other_thread;
  other->run(call, argument);
}

}  // namespace bast::model::internal
