// SPDX-License-Identifier: Apache-2.0
//
// `work_deque`: an unbounded deque of tasks. Its owner pushes and pops at one end, the newest
// first; any thread steals the oldest from the other (Chase and Lev, "Dynamic Circular
// Work-Stealing Deque", SPAA 2005; for C++, Lê et al., "Correct and Efficient Work-Stealing for
// Weak Memory Models", PPoPP 2013).
//
//   steal  ->  top_ [ oldest | ... | newest ] bottom_  <-  push, pop
//
//   I1  Only the owner writes bottom_ and the cells; top_ only grows, by an exchange of whoever
//       takes the value there.
//   I2  With two or more values, the owner takes the newest without an exchange of top_: no thief
//       that could reach it has seen a bottom_ behind it. pop() writes bottom_, then reads top_;
//       a thief writes top_, and the next one, which has read that, reads bottom_. These four are
//       seq_cst, so one of the two sees the other. For the last value both exchange top_, and one
//       of them fails.
//   I3  A thief is counted while it may use an array. An array that was replaced is freed when,
//       after that, no thief is counted: those that come later see the new one.
//
// A thief may read a cell that the owner writes meanwhile, and gets a value that is not there any
// more; then top_ has moved, and its exchange fails.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>

#include "bast/base.hpp"
#include "bast/lockfree/padded.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

/// `T`: a pointer, or trivially copyable and of at most 8 bytes. `First`: the capacity of the first
/// array, a power of two; arrays double, and do not shrink. The first push allocates the first one.
template <class T, std::size_t First = 64, class Atomics = os::real_atomics>
class basic_work_deque {
  // NOLINTNEXTLINE(bugprone-sizeof-expression): the size of a pointer is meant
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  static_assert(std::has_single_bit(First));

 public:
  basic_work_deque() = default;
  basic_work_deque(const basic_work_deque&) = delete;
  basic_work_deque& operator=(const basic_work_deque&) = delete;
  /// Frees the arrays. Values that are left are forgotten. No other thread may use it any more.
  ~basic_work_deque() {
    free_retired();
    free(array_->load(std::memory_order_relaxed));
  }

  /// The owner. False if it must grow and there is no memory: nothing has changed then. Wait-free
  /// but for that. Memory ordering: what came before it happens before the pop or steal that
  /// returns the value.
  [[nodiscard]] bool push(T value) {
    // Relaxed: only the owner writes these. I1
    const std::size_t bottom = bottom_->load(std::memory_order_relaxed);
    array* cells = array_->load(std::memory_order_relaxed);
    // Acquire: pairs with the exchange in steal(). The thief has read the cell that is used again.
    const std::size_t top = top_->load(std::memory_order_acquire);
    if (cells == nullptr || bottom - top == cells->capacity) {
      cells = grow(cells, top, bottom, 1);
      if (cells == nullptr) return false;
    }
    // Relaxed: published by the next store.
    cells->at(bottom).store(value, std::memory_order_relaxed);
    // Release: pairs with the load of bottom_ in steal().
    bottom_->store(bottom + 1, std::memory_order_release);
    return true;
  }

  /// The owner. Pushes `count` values, which `next()` returns, the oldest first: at no time are
  /// only some of them there. False as of push(); then `next` was not called. It may not throw, or
  /// use the deque. Memory ordering: as push().
  template <class Next>
  [[nodiscard]] bool push_all(std::size_t count, Next next) {
    if (!reserve(count)) return false;
    // Relaxed: only the owner writes these. I1
    const std::size_t bottom = bottom_->load(std::memory_order_relaxed);
    array* const cells = array_->load(std::memory_order_relaxed);
    // Relaxed: published by the next store.
    for (std::size_t i = 0; i < count; ++i) {
      cells->at(bottom + i).store(next(), std::memory_order_relaxed);
    }
    // Release: pairs with the load of bottom_ in steal().
    bottom_->store(bottom + count, std::memory_order_release);
    return true;
  }

  /// The owner. Makes room for `count` more, so that the next push() or push_all() of them
  /// succeeds. False if there is no memory.
  [[nodiscard]] bool reserve(std::size_t count = 1) {
    // As in push().
    const std::size_t bottom = bottom_->load(std::memory_order_relaxed);
    array* const cells = array_->load(std::memory_order_relaxed);
    // Acquire: pairs with the exchange in steal(), as in push().
    const std::size_t top = top_->load(std::memory_order_acquire);
    if (cells != nullptr && cells->capacity - (bottom - top) >= count) return true;
    return grow(cells, top, bottom, count) != nullptr;
  }
  /// The owner. What pop() would return unless a thief is faster, or none.
  [[nodiscard]] std::optional<T> newest() {
    // Relaxed: only the owner writes these, and a hint is enough of top_.
    const std::size_t bottom = bottom_->load(std::memory_order_relaxed);
    if (static_cast<std::ptrdiff_t>(bottom - top_->load(std::memory_order_relaxed)) <= 0) {
      return std::nullopt;
    }
    return array_->load(std::memory_order_relaxed)->at(bottom - 1).load(std::memory_order_relaxed);
  }

  /// The owner. The newest value, or none. Wait-free.
  [[nodiscard]] std::optional<T> pop() {
    // Relaxed: only the owner writes these. I1
    const std::size_t last = bottom_->load(std::memory_order_relaxed) - 1;
    array* const cells = array_->load(std::memory_order_relaxed);
    bottom_->store(last, std::memory_order_seq_cst);          // I2
    std::size_t top = top_->load(std::memory_order_seq_cst);  // I2
    const auto others = static_cast<std::ptrdiff_t>(last - top);
    std::optional<T> value;
    // Relaxed: the owner wrote the cell.
    if (others >= 0) value = cells->at(last).load(std::memory_order_relaxed);
    if (others > 0) return value;
    // Relaxed on success too: nothing is published, and the cell is the owner's own. I2
    if (others == 0 && !top_->compare_exchange_strong(top, top + 1, std::memory_order_relaxed,
                                                      std::memory_order_relaxed)) {
      value.reset();
    }
    // Relaxed: it is empty, whatever a thief has seen of top_.
    bottom_->store(last + 1, std::memory_order_relaxed);
    return value;
  }

  /// The owner, while no thread steals: pop(), and the oldest value, without an exchange.
  [[nodiscard]] std::optional<T> pop_unshared() {
    // Relaxed: only the owner writes these. I1
    const std::size_t last = bottom_->load(std::memory_order_relaxed) - 1;
    if (static_cast<std::ptrdiff_t>(last - top_->load(std::memory_order_relaxed)) < 0) {
      return std::nullopt;
    }
    // Relaxed: an earlier value of bottom_ is one that thieves have seen anyway.
    bottom_->store(last, std::memory_order_relaxed);
    return array_->load(std::memory_order_relaxed)->at(last).load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::optional<T> take_oldest_unshared() {
    // Relaxed: nobody else writes these. I1
    const std::size_t top = top_->load(std::memory_order_relaxed);
    if (static_cast<std::ptrdiff_t>(bottom_->load(std::memory_order_relaxed) - top) <= 0) {
      return std::nullopt;
    }
    top_->store(top + 1, std::memory_order_relaxed);
    return array_->load(std::memory_order_relaxed)->at(top).load(std::memory_order_relaxed);
  }

  /// Any thread. The oldest value, or none. Lock-free: it tries again when another thread has taken
  /// the value that it was about to take.
  [[nodiscard]] std::optional<T> steal() {
    thieves_->fetch_add(1, std::memory_order_seq_cst);  // I3
    std::optional<T> value;
    // I2. Acquire would do on every CPU; but C++20 puts the exchange that it reads before the load
    // of bottom_, in the order of seq_cst operations, only if it is seq_cst itself.
    std::size_t top = top_->load(std::memory_order_seq_cst);
    while (true) {
      // Acquire, as part of seq_cst: pairs with the release in push(). I2
      const std::size_t bottom = bottom_->load(std::memory_order_seq_cst);
      if (static_cast<std::ptrdiff_t>(bottom - top) <= 0) break;
      array* const cells = array_->load(std::memory_order_seq_cst);  // I3
      // Relaxed: the load of bottom_ has ordered it.
      value = cells->at(top).load(std::memory_order_relaxed);
      // Seq_cst: I2; its release part pairs with the acquire in push(), which may use the cell
      // again. On failure as the first load of top_.
      if (top_->compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                        std::memory_order_seq_cst)) {
        break;
      }
      value.reset();
    }
    // Release: pairs with the load in reclaim(). The last access to an array.
    thieves_->fetch_sub(1, std::memory_order_release);
    return value;
  }

  /// The owner. Frees the arrays that push() has replaced, unless a thief may still use one; true
  /// if none is left. push() calls it when it grows.
  bool reclaim() {
    if (retired_ == nullptr) return true;
    // Acquire, as part of seq_cst: pairs with the release in steal(). I3
    if (thieves_->load(std::memory_order_seq_cst) != 0) return false;
    free_retired();
    return true;
  }

  /// Any thread: a hint, which may be old.
  [[nodiscard]] std::size_t size() const {
    const std::size_t top = top_->load(std::memory_order_relaxed);
    const std::size_t bottom = bottom_->load(std::memory_order_relaxed);
    const auto size = static_cast<std::ptrdiff_t>(bottom - top);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

 private:
  using cell = typename Atomics::template atomic<T>;

  /// Followed by its cells.
  struct array {
    explicit array(std::size_t size) noexcept : capacity(size) {}

    std::size_t capacity;
    array* next_retired = nullptr;

    cell* cells() noexcept {
      return reinterpret_cast<cell*>(reinterpret_cast<std::byte*>(this) + cells_offset);
    }
    cell& at(std::size_t index) noexcept { return cells()[index & (capacity - 1)]; }
  };
  static constexpr std::size_t cells_offset =
      (sizeof(array) + alignof(cell) - 1) / alignof(cell) * alignof(cell);
  static_assert(alignof(cell) <= alignof(std::max_align_t));

  static array* make(std::size_t capacity) {
    void* const memory = os::allocate_zeroed(cells_offset + capacity * sizeof(cell));
    if (memory == nullptr) return nullptr;
    auto* const made = ::new (memory) array(capacity);
    // To construct real ones would write the zeros that are there, and make every page resident.
    if constexpr (!std::is_same_v<Atomics, os::real_atomics>) {
      std::uninitialized_default_construct_n(made->cells(), capacity);
    }
    return made;
  }
  static void free(array* unused) {
    if (unused == nullptr) return;
    std::destroy_n(unused->cells(), unused->capacity);
    os::destroy(unused);
  }
  void free_retired() {
    while (retired_ != nullptr) {
      array* const next = retired_->next_retired;
      free(retired_);
      retired_ = next;
    }
  }

  array* grow(array* old, std::size_t top, std::size_t bottom, std::size_t more) {
    std::size_t capacity = old == nullptr ? First : 2 * old->capacity;
    while (capacity - (bottom - top) < more) capacity *= 2;
    array* const larger = make(capacity);
    if (larger == nullptr) return nullptr;
    // Relaxed: published by the store of array_.
    for (std::size_t i = top; i != bottom; ++i) {
      larger->at(i).store(old->at(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    array_->store(larger, std::memory_order_seq_cst);  // I3
    if (old != nullptr) {
      old->next_retired = retired_;
      retired_ = old;
      reclaim();
    }
    return larger;
  }

  // What thieves write is apart from what the owner does.
  padded<typename Atomics::template atomic<std::size_t>> top_;
  padded<typename Atomics::template atomic<std::size_t>> thieves_;
  padded<typename Atomics::template atomic<std::size_t>> bottom_;
  padded<typename Atomics::template atomic<array*>> array_;
  array* retired_ = nullptr;
};

template <class T>
using work_deque = basic_work_deque<T>;

}  // namespace bast::inline BAST_ABI
