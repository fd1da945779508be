// SPDX-License-Identifier: Apache-2.0
//
// What the sanitizers must be told of a switch. `fiber_hooks` is one per coroutine; without a
// sanitizer it is an empty type whose functions are nothing, so that no caller needs an #if.
//
//   resumer                          coroutine
//   before_resume(bounds)
//      switch    ------------------> entered()            at its first entry
//                                    ... runs ...
//                                    before_suspend()
//   after_resume()  <--------------- exchange
//   before_resume(bounds)
//      switch    ------------------> after_suspend()
//                                    before_exit()
//   after_resume()  <--------------- switch               never to return
//   recycle(bounds)
//
// Each call may be given a `meeting`: an address that both sides know, the same for each switch
// between them. Under BAST_TSAN_NO_SYNC the switch itself orders no memory, and a meeting is the
// edge "what I did before, you may rely on" that resuming and suspending mean; without one there is
// none.
//
// The calls stand directly beside the switch, inlined: the thread sanitizer keeps a shadow call
// stack per fiber, and an instrumented wrapper would pop the wrong one.
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

namespace bast::arch {

/// A stack as the sanitizers want it: its lowest address and its size, growth included, so that
/// growing needs no call.
struct stack_bounds {
  const std::byte* base = nullptr;
  std::size_t size = 0;
};

#if BAST_WITH_ASAN

class fiber_hooks {
 public:
  [[gnu::always_inline]] void before_resume(stack_bounds own, void* = nullptr) noexcept {
    __sanitizer_start_switch_fiber(&resumer_fake_, own.base, own.size);
  }
  [[gnu::always_inline]] void after_resume(void* = nullptr) noexcept {
    __sanitizer_finish_switch_fiber(resumer_fake_, nullptr, nullptr);
  }
  // The resumer's bounds are learnt at every arrival: it may be another stack each time.
  [[gnu::always_inline]] void entered(void* = nullptr) noexcept { arrive(nullptr); }
  [[gnu::always_inline]] void before_suspend(void* = nullptr) noexcept {
    __sanitizer_start_switch_fiber(&own_fake_, resumer_.base, resumer_.size);
  }
  [[gnu::always_inline]] void after_suspend(void* = nullptr) noexcept { arrive(own_fake_); }
  // Null tells the runtime to free this fiber's fake stack; otherwise it would leak megabytes.
  [[gnu::always_inline]] void before_exit(void* = nullptr) noexcept {
    __sanitizer_start_switch_fiber(nullptr, resumer_.base, resumer_.size);
  }
  /// After the last exit, from another stack: frames that never returned left poison behind.
  static void recycle(stack_bounds own) noexcept {
    __asan_unpoison_memory_region(own.base, own.size);
  }
  void ended() noexcept { own_fake_ = nullptr; }

  /// Locals may live on a fake stack of the runtime's (detect_stack_use_after_return): the frame
  /// there that a word of the suspended real stack leads to; nothing when it leads elsewhere.
  stack_bounds fake_frame_at(std::uintptr_t word) const noexcept {
    void* begin = nullptr;
    void* end = nullptr;
    void* const place = reinterpret_cast<void*>(word);
    if (__asan_addr_is_in_fake_stack(own_fake_, place, &begin, &end) == nullptr) return {};
    const auto* const base = static_cast<const std::byte*>(begin);
    return {base, static_cast<std::size_t>(static_cast<const std::byte*>(end) - base)};
  }

 private:
  [[gnu::always_inline]] void arrive(void* fake) noexcept {
    const void* base = nullptr;
    __sanitizer_finish_switch_fiber(fake, &base, &resumer_.size);
    resumer_.base = static_cast<const std::byte*>(base);
  }
  void* resumer_fake_ = nullptr;
  void* own_fake_ = nullptr;
  stack_bounds resumer_;
};

#elif BAST_WITH_TSAN

class fiber_hooks {
 public:
  // A fiber is made at the first resume, so that one that never runs is never destroyed, which
  // older runtimes do not survive.
  [[gnu::always_inline]] void before_resume(stack_bounds, void* meeting = nullptr) noexcept {
    if (own_ == nullptr) own_ = __tsan_create_fiber(0);
    // Relaxed: orders nothing. Atomic because without a meeting nothing orders the two sides.
    std::atomic_ref(resumer_).store(__tsan_get_current_fiber(), std::memory_order_relaxed);
    leave_for(own_, meeting);
  }
  [[gnu::always_inline]] void after_resume(void* meeting = nullptr) noexcept { arrive(meeting); }
  [[gnu::always_inline]] void entered(void* meeting = nullptr) noexcept { arrive(meeting); }
  [[gnu::always_inline]] void before_suspend(void* meeting = nullptr) noexcept {
    leave_for(std::atomic_ref(resumer_).load(std::memory_order_relaxed), meeting);
  }
  [[gnu::always_inline]] void after_suspend(void* meeting = nullptr) noexcept { arrive(meeting); }
  [[gnu::always_inline]] void before_exit(void* meeting = nullptr) noexcept {
    before_suspend(meeting);
  }
  static void recycle(stack_bounds) noexcept {}
  void ended() noexcept {
    if (own_ != nullptr) __tsan_destroy_fiber(own_);
    own_ = nullptr;
  }

 private:
  // Either the switch synchronises, as a call would, or the two ends of the meeting do. The release
  // comes last, after this object was used: the other side may destroy it.
  static constexpr bool by_meeting = BAST_TSAN_NO_SYNC != 0;
  [[gnu::always_inline]] static void leave_for(void* fiber, void* meeting) noexcept {
    if (by_meeting && meeting != nullptr) __tsan_release(meeting);
    __tsan_switch_to_fiber(fiber, by_meeting ? __tsan_switch_to_fiber_no_sync : 0);
  }
  [[gnu::always_inline]] static void arrive(void* meeting) noexcept {
    if (by_meeting && meeting != nullptr) __tsan_acquire(meeting);
  }
  void* own_ = nullptr;
  void* resumer_ = nullptr;
};

#elif BAST_WITH_MSAN

class fiber_hooks {
 public:
  [[gnu::always_inline]] void before_resume(stack_bounds own, void* = nullptr) noexcept {
    __msan_start_switch_fiber(own.base, own.size);
  }
  [[gnu::always_inline]] void after_resume(void* = nullptr) noexcept {
    __msan_finish_switch_fiber(nullptr, nullptr);
  }
  [[gnu::always_inline]] void entered(void* = nullptr) noexcept { arrive(); }
  [[gnu::always_inline]] void before_suspend(void* = nullptr) noexcept {
    __msan_start_switch_fiber(resumer_.base, resumer_.size);
  }
  [[gnu::always_inline]] void after_suspend(void* = nullptr) noexcept { arrive(); }
  [[gnu::always_inline]] void before_exit(void* = nullptr) noexcept { before_suspend(); }
  static void recycle(stack_bounds own) noexcept { __msan_unpoison(own.base, own.size); }
  void ended() noexcept {}

 private:
  [[gnu::always_inline]] void arrive() noexcept {
    const void* base = nullptr;
    __msan_finish_switch_fiber(&base, &resumer_.size);
    resumer_.base = static_cast<const std::byte*>(base);
  }
  stack_bounds resumer_;
};

#else

class fiber_hooks {
 public:
  static void before_resume(stack_bounds, void* = nullptr) noexcept {}
  static void after_resume(void* = nullptr) noexcept {}
  static void entered(void* = nullptr) noexcept {}
  static void before_suspend(void* = nullptr) noexcept {}
  static void after_suspend(void* = nullptr) noexcept {}
  static void before_exit(void* = nullptr) noexcept {}
#if BAST_WITH_VALGRIND
  // What is below the stack pointer counts as inaccessible; measuring and scrubbing look there.
  static void recycle(stack_bounds own) noexcept {
    (void)VALGRIND_MAKE_MEM_DEFINED(own.base, own.size);
  }
#else
  static void recycle(stack_bounds) noexcept {}
#endif
  static void ended() noexcept {}
};

#endif

}  // namespace bast::arch
