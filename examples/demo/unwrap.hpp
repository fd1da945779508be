// SPDX-License-Identifier: Apache-2.0
//
// The demo ends at the first error: errors become exceptions, which main reports.
#pragma once

#include <bast/base.hpp>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace demo {

template <class T>
T unwrap(bast::result<T> r) {
  if (!r) throw std::runtime_error(r.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(r);
}

}  // namespace demo
