// SPDX-License-Identifier: Apache-2.0
//
// Processes: start, wait, signal. A pidfd identifies a process and can never refer to another one
// (laws P-10, P-12). All functions are thread-safe; none allocates from the heap.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/os/descriptor.hpp"

namespace bast::inline BAST_ABI::os {

/// The first function of a new process. Its memory may be the parent's.
using process_entry = int (*)(void* argument);

enum class process_memory {
  shared,  // the parent's; the calling thread sleeps until the child executes or ends
  copied,  // as after fork; without a pidfd
};

struct started_process {
  pid_t pid = -1;
  descriptor pidfd;          // empty where memory was `copied`
  bool leads_group = false;  // for destroy_process: it leads a group of its own
};

/// Starts a process at `entry` on the stack that ends at `stack_top`. Keeps errno. Errors: `limit`
/// (processes), no_memory; `invalid`, `unsupported` or io (EPERM) if the kernel, a sandbox or an
/// emulator lacks this kind of call; the other kind of memory may still work.
[[nodiscard]] result<started_process> start_process(process_memory memory, process_entry entry,
                                                    void* argument, std::byte* stack_top) noexcept;

/// The kernel's number of the calling thread (gettid).
std::uint32_t thread_id() noexcept;

/// The pidfd of a process that is not reaped yet. Errors: `limit`, `unsupported`, io (ESRCH).
[[nodiscard]] result<descriptor> open_pidfd(pid_t pid) noexcept;

/// The result of waitid. `pid` is 0 if there is none (WNOHANG).
struct wait_outcome {
  pid_t pid = 0;
  int cause = 0;   // CLD_EXITED, CLD_KILLED, CLD_DUMPED, ...
  int status = 0;  // the exit code, or the signal
};
/// waitid(P_PIDFD) with `options` (WEXITED, WNOHANG, WNOWAIT, ...); stores the resource usage
/// unless `usage` is null. Retries EINTR. Errors: io (ECHILD: not a child of this process, or
/// reaped already).
[[nodiscard]] result<wait_outcome> wait_process(int pidfd, int options,
                                                rusage* usage = nullptr) noexcept;

/// Kills a child of the caller, with the group that it leads, and reaps it: for a failed start, or
/// a child that cannot be supervised. Never fails, so it bypasses fault injection: the only
/// possible error is that the child was reaped already. Waits only for the kernel to end the child.
void destroy_process(const started_process& child) noexcept;

/// Sends a signal. Errors: io (ESRCH: reaped already; EPERM).
[[nodiscard]] result<void> signal_process(int pidfd, int signal_number) noexcept;
/// Signals each process of a group. The caller must know that the leader is not reaped, or the
/// number may belong to another group.
[[nodiscard]] result<void> signal_group(pid_t group, int signal_number) noexcept;

/// Blocks every signal of this thread during its lifetime, including those of the C library. A
/// fault then ends the process, so the stack must be open already (`ensure_stack`).
class signals_blocked {
 public:
  signals_blocked() noexcept;
  ~signals_blocked();
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  std::uint64_t before_ = 0;
};

}  // namespace bast::inline BAST_ABI::os
