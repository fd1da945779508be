// SPDX-License-Identifier: Apache-2.0
#include "bast/io/thread_pool.hpp"

namespace bast::inline BAST_ABI {

unfinished_tasks::~unfinished_tasks() {
  while (internal::pool_task* const task = list_.pop()) task->drop(*task);
}

bool unfinished_tasks::run_next() noexcept {
  internal::pool_task* const task = list_.pop();
  if (task != nullptr) task->run(*task);
  return task != nullptr;
}

result<thread_pool> thread_pool::create(const thread_pool_options& options) noexcept {
  auto core = internal::thread_pool_core::create(options);
  if (!core) return std::unexpected(core.error());
  return thread_pool(*core);
}

thread_pool& thread_pool::operator=(thread_pool&& other) noexcept {
  if (this != &other) {
    end();
    core_ = std::exchange(other.core_, nullptr);
  }
  return *this;
}

result<void> thread_pool::submit_or_drop(internal::pool_task& task) noexcept {
  auto queued = core_->submit(task, "thread_pool.submit");
  if (!queued) task.drop(task);
  return queued;
}

result<unfinished_tasks> thread_pool::shut_down() noexcept {
  unfinished_tasks rest;
  if (auto ended = core_->shut_down(rest.list_); !ended) return std::unexpected(ended.error());
  return rest;
}

void thread_pool::end() noexcept {
  if (core_ == nullptr) return;
  {
    auto rest = shut_down();
    BAST_CHECK(rest.has_value(), "a thread_pool is destroyed by one of its own tasks");
  }
  std::exchange(core_, nullptr)->drop();
}

}  // namespace bast::inline BAST_ABI
