// SPDX-License-Identifier: Apache-2.0
//
// `mpmc_ring`: a bounded FIFO between any threads. Each place carries a turn, which says whose it
// is (Dmitry Vyukov's bounded queue, 2010):
//
//   turn == n               free, for the push that got the number n
//   turn == n + 1           filled by it, for the pop that got the number n
//   turn == n + Capacity    free again, for the push that gets that number: the next lap
//
//   I1  Numbers are given once: a place of a given turn belongs to one thread.
//   I2  The turn of a place only grows.
//
// A thread takes a number only when the place is seen to be ready, so no call waits for another
// one; but who has taken a number and is stopped leaves its place unready, and the calls that come
// to it report full, or empty.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <bit>
#include <cstddef>
#include <optional>
#include <utility>

#include "bast/lockfree/padded.hpp"
#include "bast/lockfree/value_cell.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// All but the pop, in which the rings of any pusher differ.
template <class T, std::size_t Capacity, class Atomics>
class turn_ring {
  static_assert(std::has_single_bit(Capacity) && Capacity > 1);

 public:
  turn_ring(const turn_ring&) = delete;
  turn_ring& operator=(const turn_ring&) = delete;

  /// Any thread, lock-free. False if the ring is full, or the place that is next is still being
  /// emptied; `value` is unchanged then. Memory ordering: what came before it happens before the
  /// pop that returns the value.
  [[nodiscard]] bool push(T&& value) {
    // Relaxed: a guess, which the exchange verifies.
    std::size_t number = pushed_->load(std::memory_order_relaxed);
    while (true) {
      place& here = at(number);
      // Acquire: pairs with the release in take(). The value of the lap before has been moved out.
      const std::size_t turn = here.turn.load(std::memory_order_acquire);
      const auto ahead = static_cast<std::ptrdiff_t>(turn - number);
      if (ahead == 0) {
        // Relaxed: the number orders nothing, the turn does.
        if (pushed_->compare_exchange_weak(number, number + 1, std::memory_order_relaxed,
                                           std::memory_order_relaxed)) {
          here.value.put(std::move(value));
          // Release: pairs with the acquire of the pop.
          here.turn.store(number + 1, std::memory_order_release);
          return true;
        }
      } else if (ahead < 0) {
        return false;  // In the lap before: its value has not been moved out, or not even in.
      } else {
        number = pushed_->load(std::memory_order_relaxed);  // It was given to another thread. I1
      }
    }
  }

  /// Any thread: a hint, which may be old. At most Capacity.
  [[nodiscard]] std::size_t size() const {
    const std::size_t popped = popped_->load(std::memory_order_relaxed);
    const std::size_t size = pushed_->load(std::memory_order_relaxed) - popped;
    return size < Capacity ? size : Capacity;
  }
  static constexpr std::size_t capacity() noexcept { return Capacity; }

 protected:
  struct place {
    typename Atomics::template atomic<std::size_t> turn{0};
    value_cell<T, Atomics> value;
  };

  turn_ring() {
    // Relaxed: whoever shares the ring publishes it.
    for (std::size_t i = 0; i < Capacity; ++i) places_[i].turn.store(i, std::memory_order_relaxed);
  }
  ~turn_ring() = default;  // A derived class pops what is left.

  place& at(std::size_t number) noexcept { return places_[number % Capacity]; }
  /// For the pop that got `number`, whose place is filled.
  std::optional<T> take(place& here, std::size_t number) {
    std::optional<T> value(here.value.take());
    // Release: pairs with the acquire in push().
    here.turn.store(number + Capacity, std::memory_order_release);
    return value;
  }

  padded<typename Atomics::template atomic<std::size_t>> popped_;

 private:
  padded<typename Atomics::template atomic<std::size_t>> pushed_;
  place places_[Capacity];
};

}  // namespace internal

/// `Capacity`: a power of two from 2. `T`: moves and is destroyed without exceptions. Allocates
/// nothing. All functions are for any thread, and lock-free.
template <class T, std::size_t Capacity, class Atomics = os::real_atomics>
class basic_mpmc_ring : public internal::turn_ring<T, Capacity, Atomics> {
 public:
  basic_mpmc_ring() = default;
  basic_mpmc_ring(const basic_mpmc_ring&) = delete;
  basic_mpmc_ring& operator=(const basic_mpmc_ring&) = delete;
  /// Destroys what is left. No other thread may use the ring any more.
  ~basic_mpmc_ring() {
    while (pop()) {
    }
  }

  /// The oldest value; none if the ring is empty, or the place that is next is still being filled.
  [[nodiscard]] std::optional<T> pop() {
    auto& popped = *this->popped_;
    // Relaxed: a guess, which the exchange verifies.
    std::size_t number = popped.load(std::memory_order_relaxed);
    while (true) {
      auto& here = this->at(number);
      // Acquire: pairs with the release of the push.
      const std::size_t turn = here.turn.load(std::memory_order_acquire);
      const auto ahead = static_cast<std::ptrdiff_t>(turn - (number + 1));
      if (ahead == 0) {
        // Relaxed: the number orders nothing, the turn does.
        if (popped.compare_exchange_weak(number, number + 1, std::memory_order_relaxed,
                                         std::memory_order_relaxed)) {
          return this->take(here, number);
        }
      } else if (ahead < 0) {
        return std::nullopt;  // Not filled yet, or the value of the lap before not moved out.
      } else {
        number = popped.load(std::memory_order_relaxed);  // It was given to another thread. I1
      }
    }
  }
};

template <class T, std::size_t Capacity>
using mpmc_ring = basic_mpmc_ring<T, Capacity>;

}  // namespace bast::inline BAST_ABI
