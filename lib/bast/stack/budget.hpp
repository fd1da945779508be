// SPDX-License-Identifier: Apache-2.0
//
// Budgets of open stack bytes, per pool and per process. Open bytes are accessible without a system
// call, so the budget bounds what can become resident.
#pragma once

#include <atomic>
#include <cstddef>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// A bounded count of bytes. All operations are lock-free and async-signal-safe; they never
/// allocate. `charge` may refuse, `refund` never fails.
class stack_budget {
 public:
  constexpr explicit stack_budget(bytes limit) noexcept : limit_(limit.count) {}

  /// Adds `size` bytes if the limit allows it, all or nothing.
  [[nodiscard]] bool charge(std::size_t size) noexcept {
    const std::size_t before = open_.fetch_add(size, std::memory_order_relaxed);
    const std::size_t limit = limit_.load(std::memory_order_relaxed);
    if (before <= limit && size <= limit - before) [[likely]]
      return true;
    open_.fetch_sub(size, std::memory_order_relaxed);
    return false;
  }
  void refund(std::size_t size) noexcept { open_.fetch_sub(size, std::memory_order_relaxed); }

  bytes open() const noexcept { return {open_.load(std::memory_order_relaxed)}; }
  bytes limit() const noexcept { return {limit_.load(std::memory_order_relaxed)}; }
  /// A limit below the open bytes closes nothing; it refuses the next charge.
  void set_limit(bytes limit) noexcept { limit_.store(limit.count, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> open_{0};
  std::atomic<std::size_t> limit_;
};

/// The budget that all pools of the process share; unlimited until a limit is set.
stack_budget& process_stack_budget() noexcept;

}  // namespace bast::inline BAST_ABI
