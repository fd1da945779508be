// SPDX-License-Identifier: Apache-2.0
//
// Processes: making one, waiting for it, signalling it. A process is named by its pidfd, which can
// never come to mean another one (laws P-10, P-12).
// All functions are thread-safe; none allocates from the heap.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/os/descriptor.hpp"

namespace bast::os {

/// The first function of a new process. Its memory may be the parent's.
using process_entry = int (*)(void* argument);

enum class process_memory {
  shared,  // the parent's own, and the calling thread sleeps until the child executes or ends
  copied,  // as after fork; no pidfd comes with it
};

struct started_process {
  pid_t pid = -1;
  descriptor pidfd;          // empty where memory was `copied`
  bool leads_group = false;  // for destroy_process: what it started is in a group of its own
};

/// Starts a process at `entry` on the stack that ends at `stack_top`. errno is kept. Errors:
/// `limit` (processes), no_memory; `invalid`, `unsupported` or io (EPERM) where the kernel, a
/// sandbox or an emulator has no such call, and the other kind of memory may still work.
[[nodiscard]] result<started_process> start_process(process_memory memory, process_entry entry,
                                                    void* argument, std::byte* stack_top) noexcept;

/// The kernel's number of the calling thread (gettid).
std::uint32_t thread_id() noexcept;

/// The pidfd of a process that is not reaped yet. Errors: `limit`, `unsupported`, io (ESRCH).
[[nodiscard]] result<descriptor> open_pidfd(pid_t pid) noexcept;

/// What waitid told. `pid` is 0 while there is nothing to tell (WNOHANG).
struct wait_outcome {
  pid_t pid = 0;
  int cause = 0;   // CLD_EXITED, CLD_KILLED, CLD_DUMPED, ...
  int status = 0;  // the exit code, or the signal
};
/// waitid(P_PIDFD) with `options` (WEXITED, WNOHANG, WNOWAIT, ...); tells the resources used where
/// `usage` is not null. EINTR is tried again. Errors: io (ECHILD: not our child, or somebody else
/// reaped it).
[[nodiscard]] result<wait_outcome> wait_process(int pidfd, int options,
                                                rusage* usage = nullptr) noexcept;

/// Ends a child of the caller, and the group that it leads, and reaps it: for one that never became
/// what was asked for, or that nobody can follow. Never fails, so not through fault injection: its only
/// excuse would be that somebody else reaped it. Waits for the kernel to take it down, not for the
/// child.
void destroy_process(const started_process& child) noexcept;

/// Sends a signal. Errors: io (ESRCH: it is reaped; EPERM).
[[nodiscard]] result<void> signal_process(int pidfd, int signal_number) noexcept;
/// The same to each process of a group. The number may be another group's once the leader is
/// reaped: the caller knows that it is not.
[[nodiscard]] result<void> signal_group(pid_t group, int signal_number) noexcept;

/// Blocks every signal for this thread, those of the C library included, while it lives. A fault
/// then ends the process, so the stack must be open (`ensure_stack`).
class signals_blocked {
 public:
  signals_blocked() noexcept;
  ~signals_blocked();
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  std::uint64_t before_ = 0;
};

}  // namespace bast::os
