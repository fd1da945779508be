// SPDX-License-Identifier: Apache-2.0
//
// What a thread gives back when it ends. Pools may live in thread_local objects and in pthread
// keys, and their destructors unwind coroutines, which needs everything that the thread has for
// them. So the thread's part comes after both: a pthread key whose destructor asks for further
// rounds. The main thread has no end: pools of static storage duration are destroyed after its
// thread_locals.
#pragma once

#include "bast/base.hpp"

namespace bast::os {

/// One task. Lives in the thread that it belongs to, as a constinit thread_local without a
/// destructor.
struct thread_end_task {
  void (*run)() noexcept = nullptr;
  thread_end_task* next = nullptr;
  bool is_due = false;
};

/// Runs `task` when the calling thread ends, after its thread_local objects were destroyed and
/// after the first rounds of the pthread keys; the last one belongs to the sanitizers. A task that
/// is due already is not added again. Not at the end of the process. Errors: `limit` (no pthread
/// key is left), no_memory.
[[nodiscard]] result<void> at_thread_end(thread_end_task& task) noexcept;

}  // namespace bast::os
