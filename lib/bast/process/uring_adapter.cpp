// SPDX-License-Identifier: Apache-2.0
#include "bast/process/uring_adapter.hpp"

#include <liburing.h>
#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <optional>

#include "bast/process/perform.hpp"

namespace bast::inline BAST_ABI {

namespace {

// The kernel reads a machine's deadline in place.
static_assert(sizeof(operation_deadline) == sizeof(__kernel_timespec));
static_assert(offsetof(operation_deadline, seconds) == offsetof(__kernel_timespec, tv_sec));
static_assert(offsetof(operation_deadline, nanoseconds) == offsetof(__kernel_timespec, tv_nsec));

void fill(io_uring_sqe& entry, const machine_operation& wanted) noexcept {
  // The current position; pipes have no other.
  constexpr auto at_position = static_cast<std::uint64_t>(-1);
  switch (wanted.kind) {
    case operation_kind::read:
      io_uring_prep_read(&entry, wanted.fd, wanted.buffer, wanted.length, at_position);
      break;
    case operation_kind::poll: io_uring_prep_poll_add(&entry, wanted.fd, POLLIN); break;
    case operation_kind::poll_to_write: io_uring_prep_poll_add(&entry, wanted.fd, POLLOUT); break;
    case operation_kind::timeout: {
      // liburing's parameter is not const; the kernel only reads.
      auto* const deadline = const_cast<operation_deadline*>(wanted.deadline);
      io_uring_prep_timeout(&entry, reinterpret_cast<__kernel_timespec*>(deadline), 0,
                            IORING_TIMEOUT_ABS);
      break;
    }
    default: io_uring_prep_cancel64(&entry, wanted.target, 0); break;
  }
  io_uring_sqe_set_data64(&entry, wanted.user_data);
}

}  // namespace

result<std::unique_ptr<uring_adapter>> uring_adapter::create(
    io_uring& ring, const uring_adapter_options& options) noexcept {
  auto wake = os::make_event();
  if (!wake) return std::unexpected(wake.error());
  auto machine = process_machine::create(
      {.processes_max = options.processes_max, .magic = options.magic, .wake_fd = wake->get()});
  if (!machine) return std::unexpected(machine.error());
  std::unique_ptr<uring_adapter> made(
      new uring_adapter(std::move(*wake), std::move(*machine), ring));
  if (made == nullptr) return fail(errc::no_memory, "uring_adapter.create", "no memory for it");
  return made;
}

bool uring_adapter::prepare() noexcept {
  require_owner();
  if (is_forked()) return true;
  if (is_within_loop()) return hand_over();
  {
    const attended awake(ready());
    if (!hand_over()) return false;
  }
  // Resumes coroutines that are ready; ones that become ready meanwhile wake the ring.
  return ready().run() == 0 || hand_over();
}

/// Returns true if all requested operations found room.
bool uring_adapter::hand_over() noexcept {
  hold_wake_for_waiters();
  machine_->tick(now());
  while (const machine_operation* const wanted = machine_->next()) {
    if (is_immediate(wanted->kind)) {
      const machine_operation copy = *wanted;
      machine_->sent();
      machine_->complete(copy.user_data, perform(copy));
      continue;
    }
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
      machine_->refused();
      return false;
    }
    fill(*entry, *wanted);
    machine_->sent();
  }
  return true;
}

bool uring_adapter::handle(const io_uring_cqe& completion) noexcept {
  require_owner();
  if (!machine_->is_ours(completion.user_data)) return false;
  // The loop calls prepare before it waits; a coroutine that it resumed may not.
  std::optional<attended> awake;
  if (!is_within_loop()) awake.emplace(ready());
  machine_->tick(now());
  machine_->complete(completion.user_data, completion.res);
  return true;
}

result<void> uring_adapter::shut_down() noexcept {
  if (auto mine = check_owner("uring_adapter.shut_down"); !mine) return mine;
  hold_wake_for_waiters();
  machine_->tick(now());
  machine_->shut_down();
  return {};
}

}  // namespace bast::inline BAST_ABI
