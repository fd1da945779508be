// SPDX-License-Identifier: Apache-2.0
//
// The registers that a signal interrupted, from its handler's third argument. Async-signal-safe.
#pragma once

#include <ucontext.h>
#include <bast/config.hpp>

#include <cstdint>

namespace bast::inline BAST_ABI::arch {

/// Three registers of the interrupted flow of control.
struct interrupted {
  std::uintptr_t sp = 0;  // the stack pointer
  std::uintptr_t pc = 0;  // the instruction
  std::uintptr_t fp = 0;  // the frame pointer

  static interrupted of(const void* context) noexcept {
    const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return {.sp = static_cast<std::uintptr_t>(machine.gregs[REG_RSP]),
            .pc = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]),
            .fp = static_cast<std::uintptr_t>(machine.gregs[REG_RBP])};
#elif defined(__aarch64__)
    return {.sp = machine.sp, .pc = machine.pc, .fp = machine.regs[29]};
#endif
  }
};

}  // namespace bast::inline BAST_ABI::arch
