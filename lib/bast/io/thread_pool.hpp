// SPDX-License-Identifier: Apache-2.0
//
// `thread_pool`: a bounded number of OS threads for functions that block or compute, in the order
// of their submission. blocking() stands on it.
//
//   auto pool = bast::thread_pool::create({.threads_max = 8}).value();
//   if (auto queued = pool.submit([] { compress_the_log(); }); !queued) return queued;
//   auto rest = pool.shut_down().value();   // waits for what runs
//   while (rest.run_next()) {               // what did not begin: run it here, or drop it
//   }
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "bast/io/thread_pool_core.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// On the heap, for os::destroy. Null if there is no memory; throws what the constructor throws.
template <class T, class... Args>
T* make_movable(Args&&... arguments) {
  static_assert(alignof(T) <= alignof(std::max_align_t));
  std::unique_ptr<void, void (*)(void*)> place(os::allocate(sizeof(T)), os::deallocate);
  if (place == nullptr) return nullptr;
  T* const made = ::new (place.get()) T(std::forward<Args>(arguments)...);
  (void)place.release();
  return made;
}

/// A function of submit().
template <class F>
class function_task final : public pool_task {
 public:
  template <class G>
  function_task(std::in_place_t /*unused*/, G&& f)
      : pool_task(call, destroy), f_(std::forward<G>(f)) {}

 private:
  static void call(pool_task& self) noexcept {
    static_cast<function_task&>(self).f_();
    destroy(self);
  }
  static void destroy(pool_task& self) noexcept { os::destroy(&static_cast<function_task&>(self)); }
  F f_;
};

}  // namespace internal

/// Tasks that a pool has not run, oldest first. Its destructor drops them: destroys their
/// functions; a fiber that waits for one, in blocking(), gets `closed`.
class [[nodiscard]] unfinished_tasks {
 public:
  unfinished_tasks() noexcept = default;
  unfinished_tasks(const unfinished_tasks&) = delete;
  unfinished_tasks& operator=(const unfinished_tasks&) = delete;
  unfinished_tasks(unfinished_tasks&& other) noexcept
      : list_(std::exchange(other.list_, internal::pool_task_list())) {}
  unfinished_tasks& operator=(unfinished_tasks&& other) noexcept {
    unfinished_tasks taken(std::move(other));
    std::swap(list_, taken.list_);
    return *this;
  }
  ~unfinished_tasks();

  std::size_t size() const noexcept { return list_.size(); }
  /// Runs the oldest here. False if there was none.
  bool run_next() noexcept;

 private:
  friend class thread_pool;
  internal::pool_task_list list_;
};

/// Movable. submit() and stats() are thread-safe. Threads start when there is work and none is
/// free, and end with the pool. In a forked child, which has none of them, it does nothing (IO-15).
class [[nodiscard]] thread_pool {
 public:
  /// Errors: invalid, naming the option; no_memory.
  [[nodiscard]] static result<thread_pool> create(const thread_pool_options& options = {}) noexcept;

  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  thread_pool(thread_pool&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  thread_pool& operator=(thread_pool&& other) noexcept;
  /// shut_down(), and drops the rest. Not by a task of the pool (checked).
  ~thread_pool() { end(); }

  /// `function()` is called once, on a thread of the pool, unless shut_down() hands it back. An
  /// exception out of it ends the process. May be called by a task. If it fails, `function` is
  /// destroyed. Allocates; throws what moving `function` throws.
  ///
  /// Errors: `limit` (queue_max tasks wait; or not even one thread can be started), closed,
  /// no_memory, forked.
  template <class F>
  [[nodiscard]] result<void> submit(F&& function) {
    auto* const task = internal::make_movable<internal::function_task<std::decay_t<F>>>(
        std::in_place, std::forward<F>(function));
    if (task == nullptr) {
      return fail(errc::no_memory, "thread_pool.submit", "no memory for the task");
    }
    return submit_or_drop(*task);
  }
  /// Waits until the running tasks have returned and the threads have ended. Returns what did not
  /// begin. A second call returns nothing, and does not wait. Errors: deadlock (called by a task of
  /// the pool).
  [[nodiscard]] result<unfinished_tasks> shut_down() noexcept;
  thread_pool_stats stats() const noexcept { return core_->stats(); }

  /// For blocking().
  internal::thread_pool_core& core() noexcept { return *core_; }

 private:
  explicit thread_pool(internal::thread_pool_core* core) noexcept : core_(core) {}
  [[nodiscard]] result<void> submit_or_drop(internal::pool_task& task) noexcept;
  void end() noexcept;

  internal::thread_pool_core* core_;  // null: moved from
};

}  // namespace bast::inline BAST_ABI
