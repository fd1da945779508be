// SPDX-License-Identifier: Apache-2.0
//
// Announces switches to the sanitizers. Each flow of control, a coroutine or its resumer, has one
// `fiber_hooks`. Without a sanitizer it is an empty type with empty functions, so that callers need
// no #if.
//
//   from                                        to
//   from.leave(to, the stack of `to`)
//      switch    -----------------------------> to.arrive()      also at its first entry
//                                               ... runs ...
//                                               to.leave(from)   or leave_for_good, at its end
//   from.arrive()  <--------------------------- switch
//   recycle(the stack of `to`)
//
// The flow that is switched to need not be the resumer: a switch goes from any flow to any other.
// The stack may be omitted for a flow that was left before: the next arrival from there reports it.
//
// Each call may take a `meeting`: an address for the destination, equal in the leave and the
// matching arrive. Under BAST_TSAN_NO_SYNC the switch itself orders no memory. The meeting then
// provides the happens-before edge of the switch; without a meeting there is none.
//
// Call these functions directly beside the switch, inlined: the thread sanitizer keeps a shadow
// call stack per fiber, and an instrumented wrapper would pop the wrong one.
// Sources: sanitizer/common_interface_defs.h, sanitizer/tsan_interface.h, msan_interface.h.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>

#if BAST_WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if BAST_WITH_TSAN
#include <sanitizer/tsan_interface.h>

#include <atomic>
#endif
#if BAST_WITH_MSAN
#include <sanitizer/msan_interface.h>
#endif
#if BAST_WITH_VALGRIND
#include <valgrind/memcheck.h>
#endif

namespace bast::inline BAST_ABI::arch {

/// The lowest address and the size of a stack, growth included, so that growing needs no call.
struct stack_bounds {
  const std::byte* base = nullptr;
  std::size_t size = 0;
};

#if BAST_WITH_ASAN

class fiber_hooks {
 public:
  [[gnu::always_inline]] void leave(fiber_hooks& to, stack_bounds stack = {},
                                    void* = nullptr) noexcept {
    start_switch(&fake_, to, stack);
  }
  // Null makes the runtime free this flow's fake stack, which would leak megabytes.
  [[gnu::always_inline]] void leave_for_good(fiber_hooks& to, stack_bounds stack = {},
                                             void* = nullptr) noexcept {
    start_switch(nullptr, to, stack);
  }
  [[gnu::always_inline]] void arrive(void* = nullptr) noexcept {
    const void* base = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(fake_, &base, &size);
    came_from_->stack_ = {static_cast<const std::byte*>(base), size};
  }
  /// After the last exit, from another stack: frames that never returned left poison.
  static void recycle(stack_bounds own) noexcept {
    __asan_unpoison_memory_region(own.base, own.size);
  }
  void ended() noexcept { fake_ = nullptr; }

  /// With detect_stack_use_after_return, locals may live on a fake stack of the runtime. Returns
  /// the frame there that a word of the suspended real stack points to, or nothing.
  stack_bounds fake_frame_at(std::uintptr_t word) const noexcept {
    void* begin = nullptr;
    void* end = nullptr;
    void* const place = reinterpret_cast<void*>(word);
    if (__asan_addr_is_in_fake_stack(fake_, place, &begin, &end) == nullptr) return {};
    const auto* const base = static_cast<const std::byte*>(begin);
    return {base, static_cast<std::size_t>(static_cast<const std::byte*>(end) - base)};
  }

 private:
  [[gnu::always_inline]] void start_switch(void** fake, fiber_hooks& to,
                                           stack_bounds stack) noexcept {
    to.came_from_ = this;
    if (stack.base == nullptr) stack = to.stack_;
    __sanitizer_start_switch_fiber(fake, stack.base, stack.size);
  }
  void* fake_ = nullptr;
  fiber_hooks* came_from_ = nullptr;  // the last flow that left for this one
  stack_bounds stack_;                // as it was left
};

#elif BAST_WITH_TSAN

class fiber_hooks {
 public:
  // The fiber is created at the first switch to it. One that never runs is therefore never
  // destroyed, which older runtimes do not survive.
  [[gnu::always_inline]] void leave(fiber_hooks& to, stack_bounds = {},
                                    void* meeting = nullptr) noexcept {
    // Relaxed: orders nothing. Atomic because without a meeting nothing orders the two sides.
    std::atomic_ref(own_).store(__tsan_get_current_fiber(), std::memory_order_relaxed);
    void* next = std::atomic_ref(to.own_).load(std::memory_order_relaxed);
    if (next == nullptr) {
      next = __tsan_create_fiber(0);
      std::atomic_ref(to.own_).store(next, std::memory_order_relaxed);
    }
    // Either the switch synchronises, as a call would, or the two ends of the meeting do. The
    // release comes after the last use of these objects: the other side may destroy them.
    if (by_meeting && meeting != nullptr) __tsan_release(meeting);
    __tsan_switch_to_fiber(next, by_meeting ? __tsan_switch_to_fiber_no_sync : 0);
  }
  [[gnu::always_inline]] void leave_for_good(fiber_hooks& to, stack_bounds stack = {},
                                             void* meeting = nullptr) noexcept {
    leave(to, stack, meeting);
  }
  [[gnu::always_inline]] static void arrive(void* meeting = nullptr) noexcept {
    if (by_meeting && meeting != nullptr) __tsan_acquire(meeting);
  }
  static void recycle(stack_bounds) noexcept {}
  /// For coroutines only.
  void ended() noexcept {
    if (own_ != nullptr) __tsan_destroy_fiber(own_);
    own_ = nullptr;
  }

 private:
  static constexpr bool by_meeting = BAST_TSAN_NO_SYNC != 0;
  void* own_ = nullptr;
};

#elif BAST_WITH_MSAN

class fiber_hooks {
 public:
  [[gnu::always_inline]] void leave(fiber_hooks& to, stack_bounds stack = {},
                                    void* = nullptr) noexcept {
    to.came_from_ = this;
    if (stack.base == nullptr) stack = to.stack_;
    __msan_start_switch_fiber(stack.base, stack.size);
  }
  [[gnu::always_inline]] void leave_for_good(fiber_hooks& to, stack_bounds stack = {},
                                             void* meeting = nullptr) noexcept {
    leave(to, stack, meeting);
  }
  [[gnu::always_inline]] void arrive(void* = nullptr) noexcept {
    const void* base = nullptr;
    std::size_t size = 0;
    __msan_finish_switch_fiber(&base, &size);
    came_from_->stack_ = {static_cast<const std::byte*>(base), size};
  }
  static void recycle(stack_bounds own) noexcept { __msan_unpoison(own.base, own.size); }
  void ended() noexcept {}

 private:
  fiber_hooks* came_from_ = nullptr;  // the last flow that left for this one
  stack_bounds stack_;                // as it was left
};

#else

class fiber_hooks {
 public:
  static void leave(fiber_hooks&, stack_bounds = {}, void* = nullptr) noexcept {}
  static void leave_for_good(fiber_hooks&, stack_bounds = {}, void* = nullptr) noexcept {}
  static void arrive(void* = nullptr) noexcept {}
#if BAST_WITH_VALGRIND
  // Valgrind marks memory below the stack pointer inaccessible; measuring and scrubbing read it.
  static void recycle(stack_bounds own) noexcept {
    (void)VALGRIND_MAKE_MEM_DEFINED(own.base, own.size);
  }
#else
  static void recycle(stack_bounds) noexcept {}
#endif
  static void ended() noexcept {}
};

#endif

}  // namespace bast::inline BAST_ABI::arch
