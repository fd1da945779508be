// SPDX-License-Identifier: Apache-2.0
//
// `context`: a suspended flow of control, three words. Everything else that must survive a switch
// is on its own stack: put there by the compiler, because the switch clobbers every register
// (inline form), or by the switch itself (out-of-line form).
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>

namespace bast::inline BAST_ABI::arch {

/// Where a suspended flow of control continues. The assembly relies on this layout.
struct context {
  void* sp = nullptr;  // the stack pointer
  void* pc = nullptr;  // where to continue
  void* fp = nullptr;  // the frame pointer register, which no asm statement may clobber
};
static_assert(offsetof(context, sp) == 0);
static_assert(offsetof(context, pc) == 8);
static_assert(offsetof(context, fp) == 16);
static_assert(sizeof(context) == 24);

/// The first function on a fresh stack. Its argument is the context that was switched to. It must
/// not return or let an exception escape.
using entry_function = void (*)(context* self) noexcept;

/// The stack pointer of a fresh frame is a multiple of this, less the bytes that `call` pushes.
inline constexpr std::size_t stack_alignment = 16;

/// Bytes below the stack pointer that a leaf function may use without moving it.
#if defined(__x86_64__)
inline constexpr std::size_t red_zone_bytes = 128;
#elif defined(__aarch64__)
inline constexpr std::size_t red_zone_bytes = 0;
#else
#error "bast has no context switch for this CPU"
#endif

/// Bytes that `prepare` uses below `top`.
inline constexpr std::size_t entry_frame_bytes = 16;

// Each CPU's switch.hpp defines, inline:
//
//   void prepare(context& fresh, std::byte* top, entry_function entry) noexcept;
//
// It makes `fresh` a context that runs `entry` on the stack that ends at `top` (a multiple of
// stack_alignment). The words below `top` become a frame whose return address has no caller, so
// that unwinders, gdb and frame-pointer profilers stop there.

}  // namespace bast::inline BAST_ABI::arch
