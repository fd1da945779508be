// SPDX-License-Identifier: Apache-2.0
//
// `mpsc_ring`: a bounded FIFO between any threads that push and one that pops. As mpmc_ring.hpp,
// with a pop that needs no exchange.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cstddef>
#include <optional>

#include "bast/lockfree/mpmc_ring.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

/// `Capacity`: a power of two from 2. `T`: moves and is destroyed without exceptions. Allocates
/// nothing.
template <class T, std::size_t Capacity, class Atomics = os::real_atomics>
class basic_mpsc_ring : public internal::turn_ring<T, Capacity, Atomics> {
 public:
  basic_mpsc_ring() = default;
  basic_mpsc_ring(const basic_mpsc_ring&) = delete;
  basic_mpsc_ring& operator=(const basic_mpsc_ring&) = delete;
  /// Destroys what is left. No other thread may use the ring any more.
  ~basic_mpsc_ring() {
    while (pop()) {
    }
  }

  /// The popping thread. The oldest value; none if the ring is empty, or the place that is next is
  /// still being filled. Wait-free.
  [[nodiscard]] std::optional<T> pop() {
    auto& popped = *this->popped_;
    // Relaxed: this thread alone writes it.
    const std::size_t number = popped.load(std::memory_order_relaxed);
    auto& here = this->at(number);
    // Acquire: pairs with the release of the push.
    if (here.turn.load(std::memory_order_acquire) != number + 1) return std::nullopt;
    std::optional<T> value = this->take(here, number);
    // Relaxed: for size().
    popped.store(number + 1, std::memory_order_relaxed);
    return value;
  }
};

template <class T, std::size_t Capacity>
using mpsc_ring = basic_mpsc_ring<T, Capacity>;

}  // namespace bast::inline BAST_ABI
