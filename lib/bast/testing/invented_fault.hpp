// SPDX-License-Identifier: Apache-2.0
//
// Invented faults: a siginfo and a context for tests of a fault handler's decisions. Their
// addresses are exact, unlike those of compiled accesses.
#pragma once

#include <ucontext.h>

#include <csignal>
#include <cstdint>

namespace bast::test {

/// The arguments of a handler for a fault.
struct invented_fault {
  std::uintptr_t address = 0;
  std::uintptr_t sp = 0;
  std::uintptr_t pc = 0;
  std::uintptr_t fp = 0;
  int code = SEGV_ACCERR;

  siginfo_t info() const {
    siginfo_t told{};
    told.si_signo = SIGSEGV;
    told.si_code = code;
    told.si_addr = reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): made up
    return told;
  }
  ucontext_t context() const {
    ucontext_t machine{};
#if defined(__x86_64__)
    machine.uc_mcontext.gregs[REG_RSP] = static_cast<greg_t>(sp);
    machine.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(pc);
    machine.uc_mcontext.gregs[REG_RBP] = static_cast<greg_t>(fp);
#else
    machine.uc_mcontext.sp = sp;
    machine.uc_mcontext.pc = pc;
    machine.uc_mcontext.regs[29] = fp;
#endif
    return machine;
  }
};

}  // namespace bast::test
