// SPDX-License-Identifier: Apache-2.0
//
// `fork_mark`: detects that an object is used in a child that was forked after the object was made.
// Such a child has a copy of the object, but the epoll sets, rings and children behind it belong to
// the parent and must not be changed.
//
//   mark_ = bast::os::fork_mark::here();
//   if (mark_.is_forked()) return fail(errc::forked, ...);
//
// One word for the whole library, in a page that the kernel clears in a forked child
// (MADV_WIPEONFORK, Linux 4.14), so a check costs a load. This also detects a child of a raw system
// call. Where the kernel or an emulator has no such page, pthread_atfork clears the word.
#pragma once

#include <atomic>
#include <cstdint>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

class fork_mark {
 public:
  /// The mark of no process: never forked.
  constexpr fork_mark() noexcept = default;
  /// The mark of this process. Thread-safe; never fails. The first call in a process maps a page.
  [[nodiscard]] static fork_mark here() noexcept;

  /// True in a child that was forked after here(). Thread-safe, async-signal-safe. A process that
  /// shares its parent's memory (vfork) is no such child.
  bool is_forked() const noexcept {
    return number_ != 0 && number_ != current() && !BAST_MUTANT(fork_unnoticed);
  }

 private:
  explicit constexpr fork_mark(std::uint64_t number) noexcept : number_(number) {}
  using word = std::atomic<std::uint64_t>;
  static std::uint64_t current() noexcept {
    // The caller has a number, so the word exists. Relaxed: only a fork changes it.
    return in_force.load(std::memory_order_relaxed)->load(std::memory_order_relaxed);
  }
  static word& the_word() noexcept;
  static word* map_wiped() noexcept;
  static void empty_in_child() noexcept;

  static constinit std::atomic<word*> in_force;
  std::uint64_t number_ = 0;
};

}  // namespace bast::inline BAST_ABI::os
