// SPDX-License-Identifier: Apache-2.0
//
// Which processor this is, and the hint that spares it work while a thread spins.
#pragma once

#include <bast/config.hpp>
#include <cstdint>

namespace bast::arch {

#if defined(__x86_64__)
inline constexpr std::uint16_t elf_machine = 62;  // EM_X86_64
#elif defined(__aarch64__)
inline constexpr std::uint16_t elf_machine = 183;  // EM_AARCH64
#endif

/// Between two looks at a word that another thread is about to change.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace bast::arch
