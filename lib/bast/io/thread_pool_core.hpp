// SPDX-License-Identifier: Apache-2.0
//
// `thread_pool_core`: the threads and the queue behind a thread_pool. A task is a node of its user.
//
//   submit(task) -> queued -> running: run(), once, on a thread of the pool
//                        \--> withdraw(): the caller's again
//                         \-> shut_down(): handed back, to be run or dropped by who has it then
//
//   I1  queue_, and idle_, the list of threads that sleep or are about to, are used under lock_.
//   I2  A thread in idle_ has an empty queue behind it: who appends to the queue takes one out of
//       idle_ and rings its bell, or starts a thread, or all threads_max are running tasks, and
//       look at the queue after them.
//   I3  Tasks are taken in the order of submit (IO-10).
//   I4  live_ is the number of threads to join, starting_ of submit() that are starting one. A
//       thread ends only once closed_ is set, and the queue is empty then.
//   I5  Without a thread, the queue holds at most the task whose submit() is starting one: if that
//       fails, no task of another caller is left without a thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

struct thread_pool_options {
  std::size_t threads_max = 64;    // started when they are needed; at most 32,768
  std::size_t queue_max = 65'536;  // tasks that wait for a thread, at least 1
};

struct thread_pool_stats {
  std::size_t threads = 0;    // started
  std::size_t running = 0;    // tasks
  std::size_t queued = 0;     // tasks that wait
  std::size_t abandoned = 0;  // running tasks whose result is not awaited any more
};

namespace internal {

struct pool_task {
  using function = void (*)(pool_task& self) noexcept;
  pool_task(function run_it, function drop_it) noexcept : run(run_it), drop(drop_it) {}
  pool_task(const pool_task&) = delete;
  pool_task& operator=(const pool_task&) = delete;
  ~pool_task() = default;

  /// One of them is called, once: `run` by a thread of the pool, or `drop` when it will never run.
  /// The last access of the pool.
  const function run;
  const function drop;
  // The pool's.
  pool_task* next = nullptr;
  pool_task* previous = nullptr;
  bool linked = false;
  bool queued = false;
};
using pool_task_list = linked_list<pool_task>;

class thread_pool_core {
 public:
  thread_pool_core(const thread_pool_core&) = delete;
  thread_pool_core& operator=(const thread_pool_core&) = delete;
  /// Errors: invalid, naming the option; no_memory.
  [[nodiscard]] static result<thread_pool_core*> create(
      const thread_pool_options& options) noexcept;
  /// Holds it: the owner from create() on, and who waits for a task. The last drop() destroys it,
  /// after shut_down(), or in a forked child.
  // Relaxed: the caller holds it already.
  void keep() noexcept { holders_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept;

  /// Queues it. Any thread. Errors: closed; `limit`, naming queue_max, or if not even one thread
  /// can be started; no_memory (as that); forked.
  [[nodiscard]] result<void> submit(pool_task& task, static_string operation) noexcept;
  /// Takes it back if it is still queued. Any thread.
  [[nodiscard]] bool withdraw(pool_task& task) noexcept;
  /// Ends the pool: waits for what runs, and moves what did not to `rest`, oldest first. A second
  /// call finds nothing, and does not wait. Errors: deadlock (by a task of the pool).
  [[nodiscard]] result<void> shut_down(pool_task_list& rest) noexcept;

  thread_pool_stats stats() const noexcept;
  bool is_forked() const noexcept { return process_.is_forked(); }
  /// A running task's result is not awaited any more; and that task has ended.
  // Relaxed: counters of a report.
  void begin_abandoned() noexcept { abandoned_.fetch_add(1, std::memory_order_relaxed); }
  void end_abandoned() noexcept { abandoned_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  struct worker {
    thread_pool_core* pool = nullptr;
    os::thread thread;
    worker* next = nullptr;  // in idle_ or spare_
    std::atomic<std::uint32_t> bell{0};
  };

  thread_pool_core(const thread_pool_options& options, worker* workers) noexcept;
  ~thread_pool_core();
  result<void> start_thread(worker& fresh, pool_task& task) noexcept;
  void work(worker& self) noexcept;
  static void ring(worker& sleeper) noexcept;
  static worker* pop(worker*& list) noexcept;
  static void push(worker*& list, worker& member) noexcept;

  const thread_pool_options options_;
  os::fork_mark process_ = os::fork_mark::here();
  mutable os::lock lock_;
  pool_task_list queue_;
  worker* idle_ = nullptr;
  worker* spare_ = nullptr;  // not started
  worker* const workers_;    // threads_max of them
  std::size_t live_ = 0;
  std::size_t starting_ = 0;
  std::size_t running_ = 0;
  bool closed_ = false;
  std::atomic<std::size_t> abandoned_{0};
  std::atomic<std::uint32_t> holders_{1};
};

}  // namespace internal
}  // namespace bast::inline BAST_ABI
