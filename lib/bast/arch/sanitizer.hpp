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
#include <sanitizer/lsan_interface.h>
#endif
#if BAST_WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if BAST_WITH_MSAN
#include <sanitizer/msan_interface.h>
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
  // Flag 0: the switch synchronises, as a call would. A fiber is made at the first resume, so that
  // one that never runs is never destroyed, which older runtimes do not survive.
  [[gnu::always_inline]] void before_resume(stack_bounds) noexcept {
    if (own_ == nullptr) own_ = __tsan_create_fiber(0);
    resumer_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(own_, 0);
  }
  [[gnu::always_inline]] void after_resume() noexcept {}
  [[gnu::always_inline]] void entered() noexcept {}
  [[gnu::always_inline]] void before_suspend() noexcept { __tsan_switch_to_fiber(resumer_, 0); }
  [[gnu::always_inline]] void after_suspend() noexcept {}
  [[gnu::always_inline]] void before_exit() noexcept { before_suspend(); }
  static void recycle(stack_bounds) noexcept {}
  void ended() noexcept {
    if (own_ != nullptr) __tsan_destroy_fiber(own_);
    own_ = nullptr;
  }

 private:
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
  static void recycle(stack_bounds) noexcept {}
  static void ended() noexcept {}
};

#endif

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
