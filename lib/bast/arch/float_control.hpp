// SPDX-License-Identifier: Apache-2.0
//
// The floating-point control words: rounding mode, exception masks, flush-to-zero. The ABI makes
// them callee-saved. Saving them costs four times the switch, and programs rarely change them, so a
// pool saves them only on request (law F-7, decision D13).
#pragma once

#include <bast/config.hpp>
#include <cstdint>

namespace bast::inline BAST_ABI::arch {

#if defined(__x86_64__)
/// MXCSR and the x87 control word.
struct float_control {
  std::uint32_t mxcsr = 0x1f80;       // all exceptions masked, round to nearest: the reset value
  std::uint16_t x87_control = 0x37f;  // extended precision, likewise

  static float_control read() noexcept {
    float_control now;
    asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(now.mxcsr), "=m"(now.x87_control));
    return now;
  }
  void write() const noexcept {
    asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87_control));
  }
  // The low six bits of MXCSR are sticky status flags, results rather than control.
  friend bool operator==(float_control a, float_control b) noexcept {
    return (a.mxcsr & ~0x3fU) == (b.mxcsr & ~0x3fU) && a.x87_control == b.x87_control;
  }
};
#elif defined(__aarch64__)
/// FPCR.
struct float_control {
  std::uint64_t fpcr = 0;

  static float_control read() noexcept {
    float_control now;
    asm volatile("mrs %0, fpcr" : "=r"(now.fpcr));
    return now;
  }
  void write() const noexcept { asm volatile("msr fpcr, %0" : : "r"(fpcr)); }
  friend bool operator==(float_control a, float_control b) noexcept = default;
};
#endif

}  // namespace bast::inline BAST_ABI::arch
