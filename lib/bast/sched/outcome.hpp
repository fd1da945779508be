// SPDX-License-Identifier: Apache-2.0
//
// The callable and the outcome of a fiber, where their types are known.
#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "bast/sched/join.hpp"

namespace bast::inline BAST_ABI {

template <class T>
class fiber;

namespace internal {

/// What a fiber's handle is about: a function that returns result<T> makes a fiber<T>.
template <class F>
using fiber_value = typename unwrapped<std::invoke_result_t<F&>>::type;

template <class F>
struct fiber_code {
  using value = std::invoke_result_t<F&>;
  using stored = std::conditional_t<std::is_void_v<value>, char, value>;
  static_assert(std::is_void_v<value> || std::is_object_v<value>,
                "a fiber returns a value, not a reference");
  static_assert(!holds_failures<value>,
                "a failure would be lost: return bast::result<T>, to which that of run_scope "
                "converts");
  static constexpr bool is_outside = !fits_record<F> || !fits_record<stored>;
  /// Of the block for both, 0 if the record has room.
  static constexpr std::size_t outside_bytes = !is_outside                  ? 0
                                               : sizeof(F) > sizeof(stored) ? sizeof(F)
                                                                            : sizeof(stored);
  static constexpr std::size_t alignment = alignof(F) > alignof(stored) ? alignof(F)
                                                                        : alignof(stored);
  static_assert(alignment <= alignof(std::max_align_t) || !is_outside,
                "a fiber's function or result has an alignment that the heap does not give");

  static F& callable(fiber_record& self) noexcept {
    return *std::launder(static_cast<F*>(self.storage()));
  }

  static void run(fiber_record& self) noexcept {
#if BAST_EXCEPTIONS
    try {
      call(self);
      self.end = fiber_end::value;
    } catch (...) {
      // call() has destroyed the callable, or its move has thrown.
      free_storage(self);
      ::new (static_cast<void*>(self.room)) std::exception_ptr(std::current_exception());
      self.end = fiber_end::exception;
    }
#else
    call(self);
    self.end = fiber_end::value;
#endif
  }
  // The callable lives on the fiber's own stack while it runs, and its room is the outcome's.
  [[gnu::always_inline]] static void call(fiber_record& self) {
    struct moved {
      explicit moved(F& from) : function(take(from)) {}
      // Destroys the original also if the move throws.
      static F take(F& from) {
        struct original {
          explicit original(F& of) noexcept : value(of) {}
          original(const original&) = delete;
          original& operator=(const original&) = delete;
          ~original() { value.~F(); }
          F& value;
        } const gone(from);
        return F(std::move(from));
      }
      F function;
    } mine(callable(self));
    if constexpr (std::is_void_v<value>) {
      mine.function();
    } else {
      ::new (self.storage()) value(mine.function());
    }
  }
  static void destroy_callable(fiber_record& self) noexcept {
    callable(self).~F();
    free_storage(self);
  }
  static void destroy_value(fiber_record& self) noexcept {
    if constexpr (!std::is_void_v<value>) {
      std::launder(static_cast<value*>(self.storage()))->~value();
    }
    free_storage(self);
  }

  static error* error_of(fiber_record& self) noexcept {
    if constexpr (std::is_same_v<value, fiber_value<F>>) {
      return nullptr;
    } else {
      value& returned = *std::launder(static_cast<value*>(self.storage()));
      return returned.has_value() ? nullptr : &returned.error();
    }
  }

  static constexpr bool has_nothing_to_destroy =
      std::is_trivially_destructible_v<stored> && !is_outside;
  static constexpr fiber_operations operations{
      .run = run,
      .destroy_callable = destroy_callable,
      .destroy_value = has_nothing_to_destroy ? nullptr : destroy_value,
      .is_outside = is_outside,
      .error_of = std::is_same_v<value, fiber_value<F>> ? nullptr : error_of,
  };
};

struct fiber_access {
  template <class T>
  static fiber_record* record_of(const fiber<T>& handle) noexcept {
    return handle.record_;
  }
  template <class T>
  static fiber_record* release(fiber<T>& handle) noexcept {
    return std::exchange(handle.record_, nullptr);
  }
  template <class T>
  static fiber<T> make(fiber_record& record) noexcept {
    return fiber<T>(record);
  }
};

/// Takes the outcome of a finished fiber, and frees its record. Rethrows its exception.
template <class T>
[[nodiscard]] result<T> take_outcome(fiber_record& f) {
  if (f.end == fiber_end::value) {
    struct freed {
      explicit freed(fiber_record& taken) noexcept : record(taken) {}
      freed(const freed&) = delete;
      freed& operator=(const freed&) = delete;
      ~freed() {
        if (record.operations->destroy_value != nullptr) record.operations->destroy_value(record);
        give_back(record);
      }
      fiber_record& record;
    } const end(f);
    if (f.operations->error_of != nullptr) {
      return std::move(*std::launder(static_cast<result<T>*>(f.storage())));
    }
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return std::move(*std::launder(static_cast<T*>(f.storage())));
    }
  }
#if BAST_EXCEPTIONS
  if (f.end == fiber_end::exception) {
    const std::exception_ptr thrown = std::move(f.exception());
    f.exception().~exception_ptr();
    give_back(f);
    std::rethrow_exception(thrown);
  }
#endif
  const error why = f.failure();
  give_back(f);
  return std::unexpected(why);
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI
