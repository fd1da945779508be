// SPDX-License-Identifier: Apache-2.0
//
// The heap, with fault injection: an allocation can be made to fail like any system call. Failure
// is a null pointer, not an exception. Thread-safe; not async-signal-safe.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace bast::inline BAST_ABI::os {

/// `size` bytes aligned for any scalar, uninitialised, or null if there is no memory.
[[nodiscard]] void* allocate(std::size_t size) noexcept;
/// The same, all zero; the kernel's fresh pages are not touched for that.
[[nodiscard]] void* allocate_zeroed(std::size_t size) noexcept;
/// Resizes `block`, which may be null, to `size` bytes and keeps the first min(old, size) bytes. On
/// failure returns null and leaves `block` unchanged.
[[nodiscard]] void* reallocate(void* block, std::size_t size) noexcept;
/// Frees a block or null. Never fails.
void deallocate(void* block) noexcept;

/// A new object on the heap, or null if there is no memory. Its constructor must not throw.
template <class T, class... Args>
[[nodiscard]] T* make(Args&&... arguments) noexcept {
  static_assert(alignof(T) <= alignof(std::max_align_t));
  static_assert(std::is_nothrow_constructible_v<T, Args...>);
  void* const place = allocate(sizeof(T));
  return place == nullptr ? nullptr : ::new (place) T(std::forward<Args>(arguments)...);
}
/// Destroys an object of `make`; null is allowed.
template <class T>
void destroy(T* object) noexcept {
  if (object == nullptr) return;
  std::destroy_at(object);
  deallocate(object);
}

}  // namespace bast::inline BAST_ABI::os
