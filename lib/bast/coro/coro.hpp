// SPDX-License-Identifier: Apache-2.0
//
// `coro`: a coroutine and its owner.
#pragma once

#include <utility>

#include "bast/coro/coro_ref.hpp"

namespace bast::inline BAST_ABI {

/// Owns a coroutine and releases it when destroyed. If release fails (the coroutine is running,
/// belongs to another thread, or this build cannot unwind), the pool keeps it and releases it at
/// its own end.
template <class Yield = void, class Resume = void, class Return = void>
class [[nodiscard]] coro : public coro_ref<Yield, Resume, Return> {
 public:
  using ref = coro_ref<Yield, Resume, Return>;

  coro() = default;
  explicit coro(const ref& owned) noexcept : ref(owned) {}
  coro(const coro&) = delete;
  coro& operator=(const coro&) = delete;
  coro(coro&& other) noexcept : ref(std::exchange(static_cast<ref&>(other), ref())) {}
  coro& operator=(coro&& other) noexcept {
    // Released last: its destructors may access or destroy both of these.
    const coro before(std::exchange(static_cast<ref&>(*this), other.detach()));
    return *this;
  }
  ~coro() {
    if (!this->refers_to_nothing())
      (void)this->release();  // A stale handle has nothing to release.
  }

  /// As coro_ref::release. Unless that fails, this handle is empty before the first destructor
  /// runs, because the released coroutine may own this object.
  [[nodiscard, gnu::always_inline]] result<void> release() noexcept {
    if (!this->release_quietly()) [[unlikely]]
      return release_detached();
    static_cast<ref&>(*this) = ref();
    return {};
  }
  [[nodiscard]] result<void> release(abandon_t) noexcept {
    ref released = detach();
    auto done = released.release(abandon);
    if (!done) [[unlikely]]
      static_cast<ref&>(*this) = released;
    return done;
  }

  /// Gives up ownership.
  ref detach() noexcept { return std::exchange(static_cast<ref&>(*this), ref()); }

 private:
  [[gnu::noinline]] result<void> release_detached() noexcept {
    ref released = detach();
    auto done = released.release_any();
    if (!done) static_cast<ref&>(*this) = released;
    return done;
  }
};

}  // namespace bast::inline BAST_ABI
