// SPDX-License-Identifier: Apache-2.0
//
// `step`: what start and resume come back with.
#pragma once

#include <bast/config.hpp>
#include <optional>
#include <utility>

namespace bast::inline BAST_ABI {

/// What `start` and `resume` come back with: the coroutine suspended (and yielded a value), it
/// finished, or it is parked: it waits for something, a process say, that will continue it, and
/// nobody else can.
template <class Yield>
class step {
 public:
  explicit step(bool parked = false) noexcept : parked_(parked) {}
  explicit step(Yield&& value) noexcept : value_(std::move(value)) {}

  bool suspended() const noexcept { return value_.has_value(); }
  bool finished() const noexcept { return !suspended() && !parked_; }
  bool parked() const noexcept { return parked_; }
  /// The yielded value. Only when suspended.
  Yield& value() & noexcept { return *value_; }
  Yield&& value() && noexcept { return std::move(*value_); }

 private:
  std::optional<Yield> value_;
  bool parked_ = false;
};

template <>
class step<void> {
 public:
  explicit step(bool suspended = false, bool parked = false) noexcept
      : suspended_(suspended), parked_(parked) {}
  bool suspended() const noexcept { return suspended_; }
  bool finished() const noexcept { return !suspended_ && !parked_; }
  bool parked() const noexcept { return parked_; }

 private:
  bool suspended_;
  bool parked_;
};

}  // namespace bast::inline BAST_ABI
