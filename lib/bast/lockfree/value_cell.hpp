// SPDX-License-Identifier: Apache-2.0
//
// `value_cell`: memory for one value of a queue. The queue orders its uses: put(), then take(). The
// interleaving checker watches them and reports two without an order.
#pragma once

#include <bast/config.hpp>
#include <memory>
#include <type_traits>
#include <utility>

namespace bast::inline BAST_ABI::internal {

template <class T, class Atomics>
class value_cell {
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "a value that is moved halfway would be lost");

 public:
  value_cell() noexcept {}
  value_cell(const value_cell&) = delete;
  value_cell& operator=(const value_cell&) = delete;
  /// The value, if there is one, has been taken.
  ~value_cell() {}

  void put(T&& value) {
    watched_.write();
    std::construct_at(&value_, std::move(value));
  }
  T take() {
    watched_.write();
    T value = std::move(value_);
    std::destroy_at(&value_);
    return value;
  }

 private:
  union {
    T value_;
  };
  [[no_unique_address]] typename Atomics::watched watched_;
};

}  // namespace bast::inline BAST_ABI::internal
