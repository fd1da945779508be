// SPDX-License-Identifier: Apache-2.0
//
// `step`: what start and resume come back with.
#pragma once

#include <optional>
#include <utility>

namespace bast {

/// What `start` and `resume` come back with: the coroutine suspended (and yielded a value), or it
/// finished.
template <class Yield>
class step {
 public:
  step() = default;
  explicit step(Yield&& value) noexcept : value_(std::move(value)) {}

  bool suspended() const noexcept { return value_.has_value(); }
  bool finished() const noexcept { return !suspended(); }
  /// The yielded value. Only when suspended.
  Yield& value() & noexcept { return *value_; }
  Yield&& value() && noexcept { return std::move(*value_); }

 private:
  std::optional<Yield> value_;
};

template <>
class step<void> {
 public:
  explicit step(bool suspended = false) noexcept : suspended_(suspended) {}
  bool suspended() const noexcept { return suspended_; }
  bool finished() const noexcept { return !suspended_; }

 private:
  bool suspended_;
};

}  // namespace bast
