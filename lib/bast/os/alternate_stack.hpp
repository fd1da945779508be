// SPDX-License-Identifier: Apache-2.0
//
// The alternate signal stack of a thread: where the fault handler runs when the coroutine's own
// stack has no room for it.
//
// I1  A stack that the application or a sanitizer installed is never replaced: it is used, or, when
//     it is too small for the handler, refused with an error that says how much is needed.
// I2  A stack of ours has a guard page below it, and is sized from AT_MINSIGSTKSZ, which grows with
//     the CPU's register state (AVX-512, AMX, SVE), never from the constant SIGSTKSZ.
// I3  It is there until the thread's thread_local objects and the values of its pthread keys are
//     destroyed, as pools among them may grow. Then it is taken down, and what was there before is
//     put back: the address sanitizer unmaps whatever stack it finds installed at the very end. The
//     main thread keeps its own, for the pools of static storage duration.
#pragma once

#include <cstddef>

#include "bast/base.hpp"

namespace bast::os {

/// The bytes of alternate stack that the fault handler needs on this CPU.
std::size_t alternate_stack_bytes_min() noexcept;

/// Makes sure that the calling thread has an alternate stack that suffices, now and, unless
/// somebody changes it, for the rest of its life. One system call when it has one: whoever changed
/// it since the last call is noticed. Errors: `invalid` (I1), `limit`, no_memory, io. Nothing is
/// left behind on error.
[[nodiscard]] result<void> ensure_alternate_stack() noexcept;

}  // namespace bast::os
