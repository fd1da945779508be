// SPDX-License-Identifier: Apache-2.0
//
// The demo ends at the first error: errors become exceptions, which main reports.
#pragma once

#include <bast/sched.hpp>
#include <expected>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace demo {

/// Of a result, or of what bast::run returns.
template <class T, class E>
T unwrap(std::expected<T, E> r) {
  if (!r) throw std::runtime_error(r.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(r);
}

}  // namespace demo
