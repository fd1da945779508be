// SPDX-License-Identifier: Apache-2.0
//
// What sanitizers and valgrind must be told of stacks as memory: where they are, and whose. Nothing
// without one of them. What they must be told of switches is in sanitizer.hpp.
//
//   introduce_stack(bounds)      when it is opened, once
//     grant_stack(open part)     it has a user
//       quiet_reading            the library looks at it meanwhile
//     fiber_hooks::recycle(...)  the user is gone; the library measures and scrubs
//     revoke_stack(open part)    it is idle: nobody may touch it
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

namespace bast::arch {

/// True where somebody watches stacks between two uses: callers then say whose a stack is.
inline constexpr bool stacks_are_watched = BAST_WITH_ASAN != 0 || BAST_WITH_VALGRIND != 0;

/// From here on nobody may touch the open part of a stack: it is idle, and a pointer into it is
/// stale. Until fiber_hooks::recycle, for the library's own looking, or grant_stack.
inline void revoke_stack([[maybe_unused]] stack_bounds open) noexcept {
#if BAST_WITH_ASAN
  __asan_poison_memory_region(open.base, open.size);
#elif BAST_WITH_VALGRIND
  (void)VALGRIND_MAKE_MEM_NOACCESS(open.base, open.size);
#endif
}
/// The stack has a user again, who finds nothing on it that it may rely on.
inline void grant_stack([[maybe_unused]] stack_bounds open) noexcept {
#if BAST_WITH_ASAN
  __asan_unpoison_memory_region(open.base, open.size);
#elif BAST_WITH_VALGRIND
  (void)VALGRIND_MAKE_MEM_UNDEFINED(open.base, open.size);
#endif
}

/// While one lives, its thread may read what valgrind calls nobody's, or undefined: a stack in use,
/// below the stack pointer and between its objects. What the other sanitizers must know stands at
/// the function that reads.
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

/// Valgrind tells stacks from each other by their bounds; the answer is for forget_stack.
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

/// Tells the leak sanitizer that pointers may live in a slab of stacks. Only for slabs whose
/// inaccessible parts are separate mappings: its tracer dies on guard markers, which it cannot see.
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

/// True where leaks are looked for through `register_leak_root`.
inline constexpr bool leak_roots_in_use = BAST_WITH_ASAN != 0;

}  // namespace bast::arch
