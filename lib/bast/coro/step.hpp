// SPDX-License-Identifier: Apache-2.0
//
// `step`: how one run of a coroutine ended.
//
//   for (auto step = numbers.resume(); step.yielded(); step = numbers.resume()) use(step.value());
//
// Exactly one of its four predicates is true. A conversion to bool would be ambiguous.
#pragma once

#include <bast/config.hpp>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// Returned by `resume`, `start` and `peek` of a coroutine that yields `Yield`. Movable.
template <class Yield>
class [[nodiscard]] step {
  struct nothing {};
  using stored = std::conditional_t<std::is_void_v<Yield>, nothing, Yield>;

 public:
  /// It did not run. Implicit, so that a function can return `fail(...)`.
  step(const std::unexpected<bast::error>& refused) noexcept
      : what_(kind::failed), error_(refused.error()) {}
  static step of_yield(stored&& value) noexcept { return step(kind::yielded, std::move(value)); }
  static step of_finish() noexcept { return step(kind::finished); }
  static step of_park() noexcept { return step(kind::parked); }

  step(step&& other) noexcept : what_(other.what_) { take(other); }
  step& operator=(step&& other) noexcept {
    if (this == &other) return *this;
    clear();
    what_ = other.what_;
    take(other);
    return *this;
  }
  step(const step&) = delete;
  step& operator=(const step&) = delete;
  ~step()
    requires(std::is_trivially_destructible_v<stored>)
  = default;
  ~step() { clear(); }

  /// It suspended itself and yielded `value()`.
  bool yielded() const noexcept { return what_ == kind::yielded; }
  /// It finished; see `coro::returned`.
  bool finished() const noexcept { return what_ == kind::finished; }
  /// It waits, for example for a process. Only its executor resumes it.
  bool parked() const noexcept { return what_ == kind::parked; }
  /// It did not run; `error()` is the reason.
  bool failed() const noexcept { return what_ == kind::failed; }

  /// The yielded value. Ends the process unless `yielded()`.
  stored& value() & noexcept
    requires(!std::is_void_v<Yield>)
  {
    BAST_CHECK(!failed(), "step::value: the step failed; error() says why");
    BAST_CHECK(yielded(), "step::value: the coroutine yielded nothing");
    return value_;
  }
  const stored& value() const& noexcept
    requires(!std::is_void_v<Yield>)
  {
    return const_cast<step*>(this)->value();
  }
  stored&& value() && noexcept
    requires(!std::is_void_v<Yield>)
  {
    return std::move(value());
  }
  /// Ends the process unless `failed()`.
  const bast::error& error() const noexcept {
    BAST_CHECK(failed(), "step::error: the step did not fail");
    return error_;
  }

 private:
  enum class kind : unsigned char { finished, yielded, parked, failed };

  explicit step(kind what) noexcept : what_(what), nothing_() {}
  step(kind what, stored&& value) noexcept : what_(what), value_(std::move(value)) {}

  void take(step& other) noexcept {
    if (yielded()) {
      ::new (static_cast<void*>(&value_)) stored(std::move(other.value_));
    } else if (failed()) {
      ::new (static_cast<void*>(&error_)) bast::error(other.error_);
    } else {
      // GCC 12 would warn, in users' functions, that clear() might read what was never written.
      std::memset(static_cast<void*>(&value_), 0, sizeof(value_));
    }
  }
  void clear() noexcept {
    if (yielded()) value_.~stored();
  }

  kind what_;
  union {
    nothing nothing_;
    stored value_;
    bast::error error_;
  };
};

}  // namespace bast::inline BAST_ABI
