// SPDX-License-Identifier: Apache-2.0
//
// `fork_mark`: tells whether this is still the process in which an object was made, or a child that
// was forked since. Such a child has a copy of the object and shares what it stands for: the sets,
// rings and children of the kernel are the parent's, and nothing may be done to them from here.
//
//   mark_ = bast::os::fork_mark::here();
//   if (mark_.is_forked()) return fail(errc::forked, ...);
//
// One word for the whole library, in a page that the kernel empties in a forked child
// (MADV_WIPEONFORK, Linux 4.14), so asking costs a load. A child made by the raw call is noticed as
// well. Where the kernel or an emulator has no such page, pthread_atfork empties the word.
#pragma once

#include <cstdint>

#include "bast/base.hpp"

namespace bast::os {

class fork_mark {
 public:
  /// Of no process: never forked.
  constexpr fork_mark() noexcept = default;
  /// Of this process. Thread-safe; never fails. The first call of a process maps a page.
  [[nodiscard]] static fork_mark here() noexcept;

  /// True in a child that was forked since. Thread-safe, async-signal-safe. A process that shares
  /// the memory of its parent (vfork) is no such child.
  bool is_forked() const noexcept {
    return number_ != 0 && number_ != current() && !BAST_MUTANT(fork_unnoticed);
  }

 private:
  explicit constexpr fork_mark(std::uint64_t number) noexcept : number_(number) {}
  static std::uint64_t current() noexcept;

  std::uint64_t number_ = 0;
};

}  // namespace bast::os
