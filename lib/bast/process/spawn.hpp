// SPDX-License-Identifier: Apache-2.0
//
// `spawn`: the only path on which this library starts a process.
//
// The parent prepares everything: arguments, environment, the program's path, descriptors, a stack
// for the child. Then it calls clone with CLONE_VM and CLONE_VFORK: the child borrows our memory,
// and this thread sleeps until the child has executed the program or ended. So the cost of a start
// does not depend on the size of the parent. Where that is refused (a sandbox, an emulator), the
// child is a copy, as after fork, and waits at a gate until we hold its pidfd. A child that cannot
// become the program reports the reason through a pipe that closes on exec, and is reaped before
// `spawn` returns (laws P-7 .. P-9).
#pragma once

#include "bast/process/command.hpp"

namespace bast::inline BAST_ABI::internal {

/// A process that executes its program; the caller must reap it, through the pidfd.
struct spawned {
  os::started_process process;
  // Our ends of pipes and captures, non-blocking, or empty.
  os::descriptor stdin_pipe;
  os::descriptor stdout_pipe;
  os::descriptor stderr_pipe;
};

/// Starts `c`. Blocks the calling thread, not only the coroutine, until the program executes. Never
/// suspends. Allocates. Thread-safe for different commands; no other thread may change the
/// environment meanwhile. Needs about 8 KiB of stack. A failure leaves nothing behind and the
/// command unchanged, except for `c.failure()`. Errors: those of `verify`; "command.start (stage)"
/// with the errno.
[[nodiscard]] result<spawned> spawn(command& c) noexcept;

}  // namespace bast::inline BAST_ABI::internal
