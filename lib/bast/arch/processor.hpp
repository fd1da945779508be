// SPDX-License-Identifier: Apache-2.0
//
// The processor's ELF machine number, and the spin-wait hint.
#pragma once

#include <bast/config.hpp>
#include <cstdint>

namespace bast::inline BAST_ABI::arch {

#if defined(__x86_64__)
inline constexpr std::uint16_t elf_machine = 62;  // EM_X86_64
#elif defined(__aarch64__)
inline constexpr std::uint16_t elf_machine = 183;  // EM_AARCH64
#endif

/// For a spin loop, between two reads of a word that another thread is about to change.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace bast::inline BAST_ABI::arch
