// SPDX-License-Identifier: Apache-2.0
#include "bast/os/atomics.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "bast/os/clock.hpp"
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

bool real_atomics::wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                              std::int64_t deadline_ns) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  const timespec until{.tv_sec = static_cast<time_t>(deadline_ns / second),
                       .tv_nsec = static_cast<long>(deadline_ns % second)};
  // Unlike FUTEX_WAIT's, its time is absolute, and by default of CLOCK_MONOTONIC: futex(2).
  const long status = internal::system_call(call::futex_wait, -1L, [&] {
    return ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, &until, nullptr,
                     FUTEX_BITSET_MATCH_ANY);
  });
  // Whatever the reason: the clock decides, so that a kernel that refuses is no endless wait.
  return status != 0 && errno != EAGAIN && monotonic_ns() >= deadline_ns;
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
