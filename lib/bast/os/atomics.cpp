// SPDX-License-Identifier: Apache-2.0
#include "bast/os/atomics.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {

void real_atomics::wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  static_assert(sizeof word == sizeof expected && std::atomic<std::uint32_t>::is_always_lock_free);
  // The result does not matter (EAGAIN: the word has changed; EINTR: a signal): the caller checks
  // again.
  (void)internal::system_call(call::futex_wait, -1L, [&] {
    return ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr);
  });
}

void real_atomics::wake_all(const std::atomic<std::uint32_t>* word) noexcept {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

void real_atomics::leave_processor(unsigned round) noexcept {
  constexpr unsigned yields_max = 8;
  constexpr long sleep_first_ns = 50'000;
  constexpr long sleep_max_ns = 1'000'000;
  if (round < yields_max) {
    ::sched_yield();
    return;
  }
  const unsigned doublings = round - yields_max;
  const timespec pause{.tv_sec = 0,
                       .tv_nsec = doublings < 5 ? sleep_first_ns << doublings : sleep_max_ns};
  ::nanosleep(&pause, nullptr);  // A signal may end it early; that is harmless.
}

}  // namespace bast::inline BAST_ABI::os
