// SPDX-License-Identifier: Apache-2.0
//
// The heap, with fault injection: an allocation can be made to fail like any kernel call, and says so
// with a value instead of an exception. Thread-safe; not async-signal-safe.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace bast::os {

/// `size` bytes aligned for any scalar, uninitialised, or null when there is no memory.
[[nodiscard]] void* allocate(std::size_t size) noexcept;
/// The first min(old, size) bytes of `block` in a block of `size` bytes, or null, and `block` is
/// then as it was. `block` may be null.
[[nodiscard]] void* reallocate(void* block, std::size_t size) noexcept;
/// Gives a block back; null is fine. Never fails.
void deallocate(void* block) noexcept;

/// A new object on the heap, or null when there is no memory. Its constructor must not throw.
template <class T, class... Args>
[[nodiscard]] T* make(Args&&... arguments) noexcept {
  static_assert(alignof(T) <= alignof(std::max_align_t));
  static_assert(std::is_nothrow_constructible_v<T, Args...>);
  void* const place = allocate(sizeof(T));
  return place == nullptr ? nullptr : ::new (place) T(std::forward<Args>(arguments)...);
}
/// Destroys what `make` made; null is fine.
template <class T>
void destroy(T* object) noexcept {
  if (object == nullptr) return;
  std::destroy_at(object);
  deallocate(object);
}

}  // namespace bast::os
