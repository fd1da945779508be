// SPDX-License-Identifier: Apache-2.0
//
// `spsc_ring`: a bounded FIFO between one thread that pushes and one that pops.
//
//   pushed  0 1 2 3 4 5 6 7 8 ...           counted, never reset: wraps with std::size_t
//               ^         ^
//           popped_   pushed_               pushed_ - popped_ values are in the ring
//
//   I1  popped_ <= pushed_ <= popped_ + Capacity, as differences. Each side writes its own counter.
//   I2  A side's copy of the other's counter is never ahead of it. So what a side believes is free,
//       or filled, is; it looks again only when there seems to be nothing.
//
// The copies are why it is fast: the line of the other side is read once per lap, not once per
// value (Lee, Bu and Chandranmenon, "A Lock-Free, Cache-Efficient Shared Ring Buffer", ANCS 2009).
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

/// `Capacity`: a power of two. `T`: moves and is destroyed without exceptions. Allocates nothing.
template <class T, std::size_t Capacity, class Atomics = os::real_atomics>
class basic_spsc_ring {
  static_assert(std::has_single_bit(Capacity));

 public:
  basic_spsc_ring() = default;
  basic_spsc_ring(const basic_spsc_ring&) = delete;
  basic_spsc_ring& operator=(const basic_spsc_ring&) = delete;
  /// Destroys what is left. No other thread may use the ring any more.
  ~basic_spsc_ring() {
    while (pop()) {
    }
  }

  /// The pushing thread. False if the ring is full; `value` is unchanged then. Wait-free: at most
  /// two atomic loads and a store. Memory ordering: what came before it happens before the pop that
  /// returns the value.
  [[nodiscard]] bool push(T&& value) {
    pusher& mine = *pusher_;
    // Relaxed: this thread alone writes it.
    const std::size_t at = mine.pushed.load(std::memory_order_relaxed);
    if (at - mine.popped == Capacity) {
      // Acquire: pairs with the release in pop(). The value there has been moved out.
      mine.popped = popper_->popped.load(std::memory_order_acquire);
      if (at - mine.popped == Capacity) return false;  // I1
    }
    slots_[at % Capacity].put(std::move(value));
    // Release: pairs with the acquire in pop().
    mine.pushed.store(at + 1, std::memory_order_release);
    return true;
  }

  /// The popping thread. The oldest value, or none if the ring is empty. Wait-free, as push().
  [[nodiscard]] std::optional<T> pop() {
    popper& mine = *popper_;
    // Relaxed: this thread alone writes it.
    const std::size_t at = mine.popped.load(std::memory_order_relaxed);
    if (at == mine.pushed) {
      // Acquire: pairs with the release in push().
      mine.pushed = pusher_->pushed.load(std::memory_order_acquire);
      if (at == mine.pushed) return std::nullopt;  // I1
    }
    std::optional<T> value(slots_[at % Capacity].take());
    // Release: pairs with the acquire in push(). The slot may be used again.
    mine.popped.store(at + 1, std::memory_order_release);
    return value;
  }

  /// Any thread: a hint, which may be old. At most Capacity.
  [[nodiscard]] std::size_t size() const {
    const std::size_t popped = popper_->popped.load(std::memory_order_relaxed);
    const std::size_t size = pusher_->pushed.load(std::memory_order_relaxed) - popped;
    return size < Capacity ? size : Capacity;
  }
  static constexpr std::size_t capacity() noexcept { return Capacity; }

 private:
  struct pusher {
    typename Atomics::template atomic<std::size_t> pushed{0};
    std::size_t popped = 0;  // I2
  };
  struct popper {
    typename Atomics::template atomic<std::size_t> popped{0};
    std::size_t pushed = 0;  // I2
  };

  padded<pusher> pusher_;
  padded<popper> popper_;
  internal::value_cell<T, Atomics> slots_[Capacity];
};

template <class T, std::size_t Capacity>
using spsc_ring = basic_spsc_ring<T, Capacity>;

}  // namespace bast::inline BAST_ABI
