// SPDX-License-Identifier: Apache-2.0
//
// The outcome of a coroutine: a value or an exception, at the top of its own stack until it is
// taken or the coroutine is released.
#pragma once

#include <bast/config.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace bast::inline BAST_ABI::internal {

struct outcome_base {
#if BAST_EXCEPTIONS
  std::exception_ptr failure;
#endif
  // Destroys the value; set once there is one. The concrete type is known only at start.
  void (*destroy_value)(outcome_base& self) noexcept = nullptr;

  bool failed() const noexcept {
#if BAST_EXCEPTIONS
    return failure != nullptr;
#else
    return false;
#endif
  }
};

template <class T>
struct outcome : outcome_base {
  union {
    T value;
  };
  outcome() noexcept {}
  ~outcome() {}
  outcome(const outcome&) = delete;
  outcome& operator=(const outcome&) = delete;

  template <class F>
  void set_from(F&& call) {
    new (static_cast<void*>(std::addressof(value))) T(std::forward<F>(call)());
    destroy_value = destroy;
  }

 private:
  static void destroy(outcome_base& self) noexcept { static_cast<outcome&>(self).value.~T(); }
};

template <>
struct outcome<void> : outcome_base {
  template <class F>
  void set_from(F&& call) {
    std::forward<F>(call)();
  }
};

}  // namespace bast::inline BAST_ABI::internal
