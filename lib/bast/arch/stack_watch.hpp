// SPDX-License-Identifier: Apache-2.0
//
// Announces stack memory to sanitizers and valgrind: bounds and users. Without one of them the
// functions do nothing. sanitizer.hpp announces switches.
//
//   introduce_stack(bounds)      once, when the stack is created
//     grant_stack(open part)     a user begins
//       quiet_reading            the library reads the stack meanwhile
//     fiber_hooks::recycle(...)  the user has ended; the library measures and scrubs
//     revoke_stack(open part)    idle: any access is an error
//   forget_stack(id)             before it is unmapped
//
// Sources: sanitizer/asan_interface.h, lsan_interface.h; valgrind/valgrind.h, memcheck.h.
#pragma once

#include <bast/config.hpp>
#include <cstddef>

#include "bast/arch/sanitizer.hpp"

#if BAST_WITH_ASAN
#include <sanitizer/lsan_interface.h>
#endif
#if BAST_WITH_VALGRIND
#include <valgrind/valgrind.h>
#endif

namespace bast::inline BAST_ABI::arch {

/// True where a tool checks stacks between two uses: callers then announce users.
inline constexpr bool stacks_are_watched = BAST_WITH_ASAN != 0 || BAST_WITH_VALGRIND != 0;

/// Makes any access to the open part of an idle stack an error, because a pointer into it is stale.
/// Until grant_stack, or fiber_hooks::recycle, which lets the library itself read it.
inline void revoke_stack([[maybe_unused]] stack_bounds open) noexcept {
#if BAST_WITH_ASAN
  __asan_poison_memory_region(open.base, open.size);
#elif BAST_WITH_VALGRIND
  (void)VALGRIND_MAKE_MEM_NOACCESS(open.base, open.size);
#endif
}
/// The stack has a user again. Its content is undefined to the user.
inline void grant_stack([[maybe_unused]] stack_bounds open) noexcept {
#if BAST_WITH_ASAN
  __asan_unpoison_memory_region(open.base, open.size);
#elif BAST_WITH_VALGRIND
  (void)VALGRIND_MAKE_MEM_UNDEFINED(open.base, open.size);
#endif
}

/// During its lifetime, its thread may read memory of a stack in use that valgrind considers
/// inaccessible or undefined: below the stack pointer and between objects. The functions that read
/// carry the annotations of the other sanitizers.
class quiet_reading {
 public:
#if BAST_WITH_VALGRIND
  quiet_reading() noexcept { VALGRIND_DISABLE_ERROR_REPORTING; }
  ~quiet_reading() { VALGRIND_ENABLE_ERROR_REPORTING; }
#else
  quiet_reading() = default;
  ~quiet_reading() = default;
#endif
  quiet_reading(const quiet_reading&) = delete;
  quiet_reading& operator=(const quiet_reading&) = delete;
};

/// Valgrind distinguishes stacks by their bounds. Returns the id for forget_stack.
inline unsigned introduce_stack([[maybe_unused]] stack_bounds own) noexcept {
#if BAST_WITH_VALGRIND
  return static_cast<unsigned>(VALGRIND_STACK_REGISTER(own.base, own.base + own.size));
#else
  return 0;
#endif
}
inline void forget_stack([[maybe_unused]] unsigned id) noexcept {
#if BAST_WITH_VALGRIND
  VALGRIND_STACK_DEREGISTER(id);
#endif
}

/// Makes the leak sanitizer look for pointers in a slab of stacks. Only for slabs whose
/// inaccessible parts are separate mappings: its tracer cannot see guard markers and crashes on
/// them.
inline void register_leak_root([[maybe_unused]] const std::byte* base,
                               [[maybe_unused]] std::size_t size) noexcept {
#if BAST_WITH_ASAN
  __lsan_register_root_region(base, size);
#endif
}
inline void unregister_leak_root([[maybe_unused]] const std::byte* base,
                                 [[maybe_unused]] std::size_t size) noexcept {
#if BAST_WITH_ASAN
  __lsan_unregister_root_region(base, size);
#endif
}

/// True where the leak sanitizer uses `register_leak_root`.
inline constexpr bool leak_roots_in_use = BAST_WITH_ASAN != 0;

}  // namespace bast::inline BAST_ABI::arch
