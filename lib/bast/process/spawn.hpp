// SPDX-License-Identifier: Apache-2.0
//
// `spawn`: the one path on which this library starts a process.
//
// Everything is prepared in the parent: arguments, environment, the program's path, descriptors, a
// stack for the child. Then clone, with CLONE_VM and CLONE_VFORK: the child borrows our memory and
// this thread sleeps until it executed the program or ended, so a start costs the same whatever the
// size of the parent. Where that is refused (a sandbox, an emulator) the child is a copy, as after
// fork, and waits at a gate until we hold its pidfd. A child that cannot become the program says
// why through a pipe that closes on exec, and is reaped before `spawn` returns (laws P-7 .. P-9).
#pragma once

#include "bast/process/command.hpp"

namespace bast::internal {

/// A process that executes its program, and is the caller's to reap, through the pidfd.
struct spawned {
  os::started_process process;
  // Our ends of pipes and captures, non-blocking, or empty.
  os::descriptor stdin_pipe;
  os::descriptor stdout_pipe;
  os::descriptor stderr_pipe;
};

/// Starts `c`. Blocks the calling thread, not only the coroutine, until the program executes.
/// Suspends nothing. Allocates. Thread-safe for different commands; no other thread may change the
/// environment meanwhile. Needs about 8 KiB of stack. A failure leaves nothing behind, and the
/// command as it was, except that `c.failure()` tells more. Errors: those of `verify`;
/// "command.start (stage)" with the errno.
[[nodiscard]] result<spawned> spawn(command& c) noexcept;

}  // namespace bast::internal
