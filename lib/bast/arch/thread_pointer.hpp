// SPDX-License-Identifier: Apache-2.0
//
// Which thread is this? For the fault handler, which may read no thread-local variable: that of a
// shared object may have to be allocated first.
#pragma once

#include <bast/config.hpp>

namespace bast::arch {

/// The thread pointer of the ABI: no two living threads have the same one. The child of a fork
/// keeps it, with or without the C library's help, where its gettid() is another; what had been the
/// thread's is the child's then. Async-signal-safe; a register or a load.
[[gnu::always_inline]] inline const void* thread_pointer() noexcept {
  const void* pointer = nullptr;
#if defined(__x86_64__)
  // The word that it points to holds its own address (ELF Handling for Thread-Local
  // Storage, 3.4.6).
  asm volatile("movq %%fs:0, %0" : "=r"(pointer));
#elif defined(__aarch64__)
  asm volatile("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
  return pointer;
}

}  // namespace bast::arch
