// SPDX-License-Identifier: Apache-2.0
//
// `tagged_stack`: a stack of indices into an array of the caller's, as a list of its free elements.
// The links are the caller's too, one for each element (Treiber, 1986).
//
//   head_   [tag:32 | index + 1:32]       0: empty
//
// A pop reads the link of an element that another thread may pop, and push again, meanwhile. The
// read is harmless, since links are never freed; and the tag, which each pop raises, makes the
// exchange fail, unless exactly a multiple of 2^32 pops came between (ABA).
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bast/base.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

/// All functions are for any thread, and lock-free.
template <class Atomics = os::real_atomics>
class basic_tagged_stack {
 public:
  using link = typename Atomics::template atomic<std::uint32_t>;

  /// Empty. `links`: one for each index, fewer than 2^32, living as long as the stack.
  explicit basic_tagged_stack(std::span<link> links) noexcept : links_(links) {}
  basic_tagged_stack(const basic_tagged_stack&) = delete;
  basic_tagged_stack& operator=(const basic_tagged_stack&) = delete;
  ~basic_tagged_stack() = default;

  /// `index` must not be in the stack. Memory ordering: what came before it happens before the pop
  /// that returns the index.
  void push(std::uint32_t index) {
    BAST_ASSERT(index < links_.size());
    // Relaxed: what is below comes with the release sequence that this exchange continues.
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    do {
      // Relaxed: published by the exchange.
      links_[index].store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
      // Release: pairs with the acquire in pop().
    } while (!head_.compare_exchange_weak(head, (head & tag_mask) | (std::uint64_t{index} + 1),
                                          std::memory_order_release, std::memory_order_relaxed));
  }

  /// The index that was pushed last, or none if the stack is empty.
  [[nodiscard]] std::optional<std::uint32_t> pop() {
    // Acquire: pairs with the release in push().
    std::uint64_t head = head_.load(std::memory_order_acquire);
    while (true) {
      const auto above = static_cast<std::uint32_t>(head);
      if (above == 0) return std::nullopt;
      // Relaxed: ordered by the acquire above; if it is another use's, the exchange fails.
      const std::uint32_t below = links_[above - 1].load(std::memory_order_relaxed);
      const std::uint64_t next = ((head & tag_mask) + tag_one) | below;
      // Acquire on failure: as the load above, pairs with the release in push(). Success needs
      // none, but GCC 12 takes no stronger order for failure.
      if (head_.compare_exchange_weak(head, next, std::memory_order_acquire,
                                      std::memory_order_acquire)) {
        return above - 1;
      }
    }
  }

  /// A hint, which may be old.
  [[nodiscard]] bool empty() const {
    return static_cast<std::uint32_t>(head_.load(std::memory_order_relaxed)) == 0;
  }

 private:
  static constexpr std::uint64_t tag_one = std::uint64_t{1} << 32;
  static constexpr std::uint64_t tag_mask = ~(tag_one - 1);

  std::span<link> links_;
  typename Atomics::template atomic<std::uint64_t> head_{0};
};

using tagged_stack = basic_tagged_stack<>;

}  // namespace bast::inline BAST_ABI
