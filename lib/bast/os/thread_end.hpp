// SPDX-License-Identifier: Apache-2.0
//
// Per-thread cleanup. Pools may live in thread_local objects and in pthread keys; their destructors
// unwind coroutines, which needs the thread's resources. So the cleanup runs after both: a pthread
// key whose destructor requests further rounds. It does not run in the main thread, whose pools of
// static storage duration are destroyed after its thread_locals.
#pragma once

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// One task. A constinit thread_local without a destructor, in the thread that it belongs to.
struct thread_end_task {
  void (*run)() noexcept = nullptr;
  thread_end_task* next = nullptr;
  bool is_due = false;
};

/// Runs `task` when the calling thread ends, after its thread_local objects are destroyed and after
/// the first rounds of the pthread keys; the last round belongs to the sanitizers. A task that is
/// registered already is not added again. Does not run at process exit. Errors: `limit` (no pthread
/// key is left), no_memory.
[[nodiscard]] result<void> at_thread_end(thread_end_task& task) noexcept;

}  // namespace bast::inline BAST_ABI::os
