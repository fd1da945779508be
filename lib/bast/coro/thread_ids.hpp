// SPDX-License-Identifier: Apache-2.0
//
// `id_allocator`: ids 1 .. max for the living threads that have coroutines. Ids of ended threads
// are reused, latest first. So a new thread may be taken for the owner of a pool that outlived its
// thread. No other thread uses that pool, and `adopt` is the documented way to take it over.
#pragma once

#include <bast/config.hpp>
#include <cstdint>
#include <mutex>

namespace bast::inline BAST_ABI::internal {

inline constexpr std::uint32_t threads_max = UINT16_MAX;  // the tag has 16 bits for the id

template <std::uint32_t Max>
class id_allocator {
 public:
  constexpr id_allocator() = default;

  /// Returns an id that no living thread has, or 0 if all are taken. Thread-safe.
  std::uint16_t take() noexcept {
    const std::lock_guard guard(lock_);
    if (free_count_ != 0) return free_[--free_count_];
    if (issued_ == Max) return 0;
    return static_cast<std::uint16_t>(++issued_);
  }
  /// Thread-safe; never fails.
  void give(std::uint16_t id) noexcept {
    const std::lock_guard guard(lock_);
    free_[free_count_++] = id;
  }

 private:
  static_assert(Max <= UINT16_MAX);
  std::mutex lock_;
  std::uint32_t issued_ = 0;
  std::uint32_t free_count_ = 0;
  std::uint16_t free_[Max] = {};
};

extern constinit id_allocator<threads_max> thread_ids;

}  // namespace bast::inline BAST_ABI::internal
