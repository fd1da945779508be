// SPDX-License-Identifier: Apache-2.0
//
// The options of a runtime. Every limit has a name, a default and a clear error.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <span>

#include "bast/cancel.hpp"
#include "bast/io.hpp"
#include "bast/sched/failure.hpp"
#include "bast/stack.hpp"

namespace bast::inline BAST_ABI {

/// The Linux scheduling class of a pool's threads: sched(7).
enum class scheduling : std::uint8_t {
  normal,  // SCHED_OTHER, whatever the starting thread has
  batch,   // SCHED_BATCH: computes, and is not interactive
  idle,    // SCHED_IDLE: only when a processor has nothing else to do
};

/// Workers of their own: a fiber that is spawned into a pool runs there, and its children too.
struct pool_options {
  const char* name = nullptr;  // static lifetime
  std::size_t workers = 1;
  scheduling threads = scheduling::normal;
};

/// Stacks of another size, for the fibers that are spawned with its name (spawn_options::stack).
/// Each worker has stacks of each class.
struct stack_class_options {
  const char* name = nullptr;  // static lifetime
  /// Of each fiber of this class. The budget is that of one worker, for this class.
  stack_options stack = {};
  /// Stacks of this class at one time on one worker. Fibers that find none wait for one on the
  /// worker that was about to start them; fibers of other classes do not wait for them.
  std::size_t stacks_max = std::size_t{1} << 22;
};

/// Receives a failure that no joiner took: the handle was dropped (S-3). Called once for each, on
/// the thread that found it; must not wait. The default writes one line to standard error.
struct on_unhandled {
  void (*take)(void* context, failure&& untaken) noexcept = nullptr;
  void* context = nullptr;
};

struct run_options {
  /// Of the default pool, including the calling thread; 1 to 1024. 0: default_workers().
  std::size_t workers = 0;
  /// Further pools, with names that differ.
  std::span<const pool_options> pools = {};
  /// Of each fiber that names no class. The budget is that of one worker.
  stack_options stack = {};
  /// Stacks at one time on one worker: started fibers. Others wait unstarted, without a stack.
  std::size_t stacks_max = std::size_t{1} << 22;
  /// Further kinds of stacks, at most 255, with names that differ. A class costs each worker some
  /// memory, and ordinary fibers nothing.
  std::span<const stack_class_options> stack_classes = {};
  /// When it fires, the runtime is cancelled.
  cancel_token stop = {};
  on_unhandled unhandled = {};
  /// The threads of blocking(), apart from the workers; they start when they are needed.
  thread_pool_options blocking = {};
};

/// min(processors that this thread may use, max(2, the cgroup's quota, rounded up)).
[[nodiscard]] std::size_t default_workers() noexcept;

namespace internal {
/// Errors: `invalid`, naming the option.
[[nodiscard]] result<void> check_options(const run_options& options) noexcept;
}  // namespace internal

}  // namespace bast::inline BAST_ABI
