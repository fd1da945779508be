// SPDX-License-Identifier: Apache-2.0
//
// How other threads reach a process machine: they store the generation of the process in the slot's
// request and write to an eventfd, which the machine reads like any other descriptor.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "bast/process/machine.hpp"

namespace bast::inline BAST_ABI {

using namespace internal;

namespace {

/// Newer, modulo 2^32.
bool is_newer(std::uint32_t a, std::uint32_t b) noexcept {
  return static_cast<std::int32_t>(a - b) > 0;
}

// After so many failures in a row the wake descriptor is retried after a delay. Until then no other
// thread can wake the host, so the retry is a deadline of the machine; `tick` serves requests too.
constexpr std::uint8_t wake_failures_max = 16;

}  // namespace

bool process_machine::request_cancel(process_id id) noexcept {
  // A forked child must not wake its parent, and without init there is nothing to cancel.
  if (requests_ == nullptr || mark_.is_forked()) return false;
  if (id.slot >= options_.processes_max || id.generation == 0) return false;
  std::atomic<std::uint32_t>& request = requests_[id.slot];
  // A stale id must not replace the request for a later process.
  std::uint32_t before = request.load(std::memory_order_relaxed);
  do {
    if (before != 0 && !is_newer(id.generation, before)) break;
  } while (!request.compare_exchange_weak(before, id.generation, std::memory_order_relaxed));
  // Release: pairs with the exchange in look_for_requests, which then sees the request.
  return !requested_.exchange(true, std::memory_order_acq_rel);
}

void process_machine::hold_wake(bool held) noexcept {
  if (std::exchange(wake_is_held_, held) == held) return;
  offered_ = nullptr;
  if (slots_ != nullptr && !mark_.is_forked()) advance_wake();
}

void process_machine::look_for_requests() noexcept {
  // Acquire: pairs with the exchange in request_cancel. Cleared before the check: a later request
  // wakes this thread again.
  if (!requested_.exchange(false, std::memory_order_acq_rel)) return;
  for_each_live([this](slot& s) {
    const std::uint32_t wanted = requests_[number_of(s)].load(std::memory_order_relaxed);
    if (wanted == s.generation) {
      (void)cancel({.slot = number_of(s), .generation = s.generation});
    }
  });
}

void process_machine::advance_wake() noexcept {
  if (options_.wake_fd < 0) return;
  operation_record& io = wake_[role::output];
  if (shut_down_ && !wake_is_held_) {
    if (io.in_flight()) {
      io.unwanted = true;
    } else {
      io.state = operation_state::idle;
    }
  } else if (now_ < wake_retry_at_) {
    earliest_ = std::min(earliest_, wake_retry_at_);
    if (!io.in_flight()) io.state = operation_state::idle;
  } else {
    wake_.want(role::output, wake_readable_ ? operation_kind::read : operation_kind::poll);
  }
  wake_.want_cancels();
}

void process_machine::wake_completed(role what, std::int64_t status) noexcept {
  if (what == role::cancel_output) return advance_wake();
  const bool was_read = wake_[role::output].kind == operation_kind::read;
  wake_readable_ = !was_read && status > 0;
  if (status > 0) {
    wake_failures_ = 0;
    wake_tries_ = 0;
  } else if (status != -EINTR && status != -EAGAIN && status != -ECANCELED) {
    if (wake_failures_ < wake_failures_max) ++wake_failures_;
    if (wake_failures_ == wake_failures_max) wake_retry_at_ = retry_after(now_, wake_tries_);
  }
  if (was_read) look_for_requests();
  advance_wake();
}

}  // namespace bast::inline BAST_ABI
