// SPDX-License-Identifier: Apache-2.0
//
// The alternate signal stack of a thread, for the fault handler: the coroutine's own stack has no
// room for it.
//
// I1  A stack that the application or a sanitizer installed is never replaced. If it is too small
//     for the handler, the call fails with an error that states the required size.
// I2  A stack of ours has a guard page below it. Its size derives from AT_MINSIGSTKSZ, which grows
//     with the CPU's register state (AVX-512, AMX, SVE), never from the constant SIGSTKSZ.
// I3  It stays until the thread's thread_local objects and the values of its pthread keys are
//     destroyed, because pools among them may grow. Then it is removed, and the previous one is
//     restored: the address sanitizer unmaps whatever stack it finds installed at the very end. The
//     main thread keeps its own, for the pools of static storage duration.
#pragma once

#include <cstddef>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// The bytes of alternate stack that the fault handler needs on this CPU.
std::size_t alternate_stack_bytes_min() noexcept;

/// Ensures that the calling thread has a sufficient alternate stack, and keeps it until its end
/// unless other code changes it. One system call if it has one already, which detects such changes.
/// Errors: `invalid` (I1), `limit`, no_memory, io. Leaves nothing behind on error.
[[nodiscard]] result<void> ensure_alternate_stack() noexcept;

}  // namespace bast::inline BAST_ABI::os
