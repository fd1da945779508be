// SPDX-License-Identifier: Apache-2.0
//
// `failure`: what a fiber ended with instead of a value. `failures`: the first of several, and the
// others.
#pragma once

#include <array>
#include <bast/config.hpp>
#include <concepts>
#include <cstddef>
#include <exception>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "bast/op.hpp"
#include "bast/stack.hpp"

namespace bast::inline BAST_ABI {

/// An exception that left a fiber, or the error that ended it.
struct failure {
#if BAST_EXCEPTIONS
  std::exception_ptr exception = nullptr;
#endif
  std::optional<error> why = std::nullopt;
  /// The fiber's name, or null.
  const char* fiber = nullptr;

  /// Appends "fiber 'name': " and what() of the exception, or the error. Async-signal-safe if there
  /// is no exception.
  void describe(text& out) const noexcept;
  /// The same as a string. Allocates.
  std::string message() const;
};

/// The first failure and those after it. Kept in order; of more than `kept_max` others, only their
/// number.
struct failures {
  static constexpr std::size_t kept_max = 15;

  failure primary = {};
  std::array<failure, kept_max> suppressed = {};
  std::size_t suppressed_count = 0;
  std::size_t dropped = 0;

  /// The error of the primary: to return it where a result is expected. For an exception,
  /// errc::failed_scope.
  [[nodiscard]] error as_error() const noexcept;
  /// The same, so that `return run_scope(...)` makes a result.
  operator error() const noexcept { return as_error(); }
  /// One more after the primary.
  void add(failure&& later) noexcept;
  /// One line for each. Allocates.
  std::string message() const;
};

namespace internal {

/// What is returned in place of a value that is a failure, too, and would be lost as a value.
template <class T>
inline constexpr bool holds_failures = false;
template <class T, std::derived_from<failures> E>
inline constexpr bool holds_failures<std::expected<T, E>> = true;

/// What run() has for a main that returns R.
template <class R>
struct of_main : unwrapped<R> {};
template <class T, std::derived_from<failures> E>
struct of_main<std::expected<T, E>> {
  using type = T;
};

}  // namespace internal

}  // namespace bast::inline BAST_ABI
