// SPDX-License-Identifier: Apache-2.0
//
// `cancel_callback`: a function that runs when a token fires, during the object's lifetime.
//
//   bast::cancel_callback wake(token, [&]() noexcept { loop.wake(); });
#pragma once

#include <type_traits>
#include <utility>

#include "bast/cancel/token.hpp"
#include "bast/coro.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// A record and its registration, for the layers above.
class cancel_registration {
 public:
  explicit cancel_registration(real_record::function run) noexcept
      : record_(run), abandonable_(end_abandoned) {}
  cancel_registration(const cancel_registration&) = delete;
  cancel_registration& operator=(const cancel_registration&) = delete;
  ~cancel_registration() = default;  // A derived class ends the registration first.

  /// The registration, of a derived class, that a callback gets the record of: its first member.
  template <class Derived>
  static Derived& registration_of(real_record& record) noexcept {
    return static_cast<Derived&>(reinterpret_cast<cancel_registration&>(record));
  }
  /// Runs the callback at once if the token has fired (C-6).
  void begin(const cancel_token& token) noexcept {
    if (!token.can_be_cancelled()) return;
    abandonable_.mark();
    cancel_tree_operations::enlist(record_, *token.node_.get());
  }
  /// Waits for a callback that runs on another thread (C-8). May be called again, and begin() after
  /// it, unless the callback has run.
  void end() noexcept {
    abandonable_.unmark();
    cancel_tree_operations::delist(record_);
    record_.node = nullptr;
  }

 private:
  friend class joined_tokens;
  static void end_abandoned(abandonable& place) noexcept {
    auto* const at =
        reinterpret_cast<std::byte*>(&place) - offsetof(cancel_registration, abandonable_);
    reinterpret_cast<cancel_registration*>(at)->end();
  }

  real_record record_;
  abandonable abandonable_;
};

}  // namespace internal

/// Calls `function()` or `function(const cancel_reason&)` at most once: when the token fires, on
/// the cancelling thread; or in the constructor if it has fired. The destructor waits if the
/// function is running on another thread, and only then (C-6 .. C-8). The function must be
/// noexcept. It may cancel, register, unregister this and other callbacks, and end the source
/// (C-9). It may not suspend (bad_state), and may not wait for a thread that is unregistering this
/// callback. On an abandoned stack the registration ends in the same way, and `F` is not destroyed
/// (F-12). Allocates nothing.
template <class F>
class [[nodiscard]] cancel_callback : private internal::cancel_registration {
  static_assert(std::is_nothrow_invocable_v<F&> ||
                    std::is_nothrow_invocable_v<F&, const cancel_reason&>,
                "a cancel_callback's function must be noexcept, and take nothing or the reason");

 public:
  template <class G>
  cancel_callback(const cancel_token& token,
                  G&& function) noexcept(std::is_nothrow_constructible_v<F, G>)
      : cancel_registration(call), function_(std::forward<G>(function)) {
    begin(token);
  }
  cancel_callback(const cancel_callback&) = delete;
  cancel_callback& operator=(const cancel_callback&) = delete;
  ~cancel_callback() { end(); }

 private:
  static void call(internal::real_record& record, const cancel_reason& why) noexcept {
    // The record is the first member of the registration, which is the first base.
    auto& self =
        static_cast<cancel_callback&>(reinterpret_cast<internal::cancel_registration&>(record));
    const internal::no_suspension guard;
    if constexpr (std::is_nothrow_invocable_v<F&, const cancel_reason&>) {
      self.function_(why);
    } else {
      self.function_();
    }
  }

  F function_;
};

template <class F>
cancel_callback(const cancel_token&, F) -> cancel_callback<F>;

static_assert(std::is_standard_layout_v<internal::cancel_registration>);

}  // namespace bast::inline BAST_ABI
