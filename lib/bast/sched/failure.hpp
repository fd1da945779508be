// SPDX-License-Identifier: Apache-2.0
//
// `failure`: what a fiber ended with instead of a value. `failures`: the first of several, and the
// others.
#pragma once

#include <array>
#include <bast/config.hpp>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <utility>

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

  /// One more after the primary.
  void add(failure&& later) noexcept;
  /// One line for each. Allocates.
  std::string message() const;
};

}  // namespace bast::inline BAST_ABI
