// SPDX-License-Identifier: Apache-2.0
//
// The error of a result that may have none. Reading the error of a successful result yields
// arbitrary data, which may equal the expected error.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "bast/base.hpp"

namespace bast {

/// Prints the kind for GoogleTest.
inline void PrintTo(errc kind, std::ostream* out) { *out << make_error_code(kind).message(); }

}  // namespace bast

namespace bast::test {

/// The kind of the error, or nothing on success.
template <class T>
std::optional<errc> kind_of(const result<T>& outcome) {
  if (outcome) return std::nullopt;
  return outcome.error().kind();
}

/// The same of a step.
template <class T>
  requires(requires(const T& outcome) { outcome.failed(); })
std::optional<errc> kind_of(const T& outcome) {
  if (!outcome.failed()) return std::nullopt;
  return outcome.error().kind();
}
template <class T>
  requires(requires(const T& outcome) { outcome.failed(); })
std::string words_of(const T& outcome) {
  return outcome.failed() ? outcome.error().message() : std::string();
}

/// The error in words, or "" when the operation succeeded.
template <class T>
std::string words_of(const result<T>& outcome) {
  return outcome ? std::string() : std::string(outcome.error().message());
}

}  // namespace bast::test
