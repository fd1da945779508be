// SPDX-License-Identifier: Apache-2.0
//
// The identity of the calling thread, for the fault handler. It may read no thread-local variable:
// in a shared object, the first access may allocate it.
#pragma once

#include <bast/config.hpp>

namespace bast::inline BAST_ABI::arch {

/// The ABI's thread pointer, unique among living threads. The child of a fork keeps its parent's,
/// even where the C library does not help, while its gettid() differs; objects of the thread then
/// belong to the child. Async-signal-safe; a register read or a load.
[[gnu::always_inline]] inline const void* thread_pointer() noexcept {
  const void* pointer = nullptr;
#if defined(__x86_64__)
  // The word that it points to holds its own address (ELF Handling for Thread-Local Storage,
  // 3.4.6).
  asm volatile("movq %%fs:0, %0" : "=r"(pointer));
#elif defined(__aarch64__)
  asm volatile("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
  return pointer;
}

}  // namespace bast::inline BAST_ABI::arch
