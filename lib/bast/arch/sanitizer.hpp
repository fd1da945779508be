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
// The calls stand directly beside the switch, inlined: the thread sanitizer keeps a shadow call
// stack per fiber, and an instrumented wrapper would pop the wrong one.
// Sources: sanitizer/common_interface_defs.h, sanitizer/tsan_interface.h, msan_interface.h.
#pragma once

#include <bast/config.hpp>
#include <cstddef>

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
  [[gnu::always_inline]] void before_resume(stack_bounds own) noexcept {
    __sanitizer_start_switch_fiber(&resumer_fake_, own.base, own.size);
  }
  [[gnu::always_inline]] void after_resume() noexcept {
    __sanitizer_finish_switch_fiber(resumer_fake_, nullptr, nullptr);
  }
  // The resumer's bounds are learnt at every arrival: it may be another stack each time.
  [[gnu::always_inline]] void entered() noexcept { arrive(nullptr); }
  [[gnu::always_inline]] void before_suspend() noexcept {
    __sanitizer_start_switch_fiber(&own_fake_, resumer_.base, resumer_.size);
  }
  [[gnu::always_inline]] void after_suspend() noexcept { arrive(own_fake_); }
  // Null tells the runtime to free this fiber's fake stack; otherwise it would leak megabytes.
  [[gnu::always_inline]] void before_exit() noexcept {
    __sanitizer_start_switch_fiber(nullptr, resumer_.base, resumer_.size);
  }
  /// After the last exit, from another stack: frames that never returned left poison behind.
  static void recycle(stack_bounds own) noexcept {
    __asan_unpoison_memory_region(own.base, own.size);
  }
  void ended() noexcept { own_fake_ = nullptr; }

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
  [[gnu::always_inline]] void before_resume(stack_bounds) noexcept {
    if (own_ == nullptr) own_ = __tsan_create_fiber(0);
    // Relaxed: orders nothing. Atomic because both sides use it outside the edges of hand_over().
    std::atomic_ref(resumer_).store(__tsan_get_current_fiber(), std::memory_order_relaxed);
    __tsan_switch_to_fiber(own_, flags);
  }
  [[gnu::always_inline]] void after_resume() noexcept {}
  [[gnu::always_inline]] void entered() noexcept {}
  [[gnu::always_inline]] void before_suspend() noexcept {
    __tsan_switch_to_fiber(std::atomic_ref(resumer_).load(std::memory_order_relaxed), flags);
  }
  [[gnu::always_inline]] void after_suspend() noexcept {}
  [[gnu::always_inline]] void before_exit() noexcept { before_suspend(); }
  static void recycle(stack_bounds) noexcept {}
  void ended() noexcept {
    if (own_ != nullptr) __tsan_destroy_fiber(own_);
    own_ = nullptr;
  }

 private:
  // 0: the switch synchronises, as a call would. Otherwise hand_over() says what does.
  static constexpr unsigned flags = BAST_TSAN_NO_SYNC ? __tsan_switch_to_fiber_no_sync : 0;
  void* own_ = nullptr;
  void* resumer_ = nullptr;
};

#elif BAST_WITH_MSAN

class fiber_hooks {
 public:
  [[gnu::always_inline]] void before_resume(stack_bounds own) noexcept {
    __msan_start_switch_fiber(own.base, own.size);
  }
  [[gnu::always_inline]] void after_resume() noexcept {
    __msan_finish_switch_fiber(nullptr, nullptr);
  }
  [[gnu::always_inline]] void entered() noexcept { arrive(); }
  [[gnu::always_inline]] void before_suspend() noexcept {
    __msan_start_switch_fiber(resumer_.base, resumer_.size);
  }
  [[gnu::always_inline]] void after_suspend() noexcept { arrive(); }
  [[gnu::always_inline]] void before_exit() noexcept { before_suspend(); }
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
  static void before_resume(stack_bounds) noexcept {}
  static void after_resume() noexcept {}
  static void entered() noexcept {}
  static void before_suspend() noexcept {}
  static void after_suspend() noexcept {}
  static void before_exit() noexcept {}
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

/// The two ends of the edge "what I did before, you may rely on" that resuming and suspending mean,
/// where the switch itself carries none (BAST_TSAN_NO_SYNC). `meeting` is any address that both
/// sides know. Before the hook that leaves, and after the hook that arrives.
[[gnu::always_inline]] inline void hand_over([[maybe_unused]] void* meeting) noexcept {
#if BAST_TSAN_NO_SYNC
  __tsan_release(meeting);
#endif
}
[[gnu::always_inline]] inline void take_over([[maybe_unused]] void* meeting) noexcept {
#if BAST_TSAN_NO_SYNC
  __tsan_acquire(meeting);
#endif
}

}  // namespace bast::arch
