// SPDX-License-Identifier: Apache-2.0
#include "bast/process/perform.hpp"

#include <sys/wait.h>

#include <cerrno>

#include "bast/os.hpp"

namespace bast {

namespace {

std::int64_t failure_of(const error& e) noexcept {
  return e.error_number() != 0 ? -e.error_number() : -EIO;
}

std::int64_t wait_for(const operation& wanted, int options) noexcept {
  child_exit seen{};
  const auto told = os::wait_process(wanted.fd, WEXITED | WNOHANG | options, &seen.usage);
  if (!told) return failure_of(told.error());
  if (told->pid == 0) return 0;
  seen.code = told->cause;
  seen.status = told->status;
  *wanted.exit = seen;
  return 1;
}

/// The leader first, by its pidfd. Only when that exists, reaped by nobody, the group's number is
/// still its own (P-11).
std::int64_t send_signal(const operation& wanted) noexcept {
  const auto to_leader = os::signal_process(wanted.fd, wanted.signal);
  if (!to_leader) return failure_of(to_leader.error());
  if (wanted.group == 0) return 0;
  const auto to_group = os::signal_group(wanted.group, wanted.signal);
  if (to_group || to_group.error().error_number() == ESRCH) return 0;
  return failure_of(to_group.error());
}

}  // namespace

std::int64_t perform(const operation& wanted) noexcept {
  switch (wanted.kind) {
    case operation_kind::read: {
      const auto got = os::read_some(wanted.fd, {wanted.buffer, wanted.length});
      return got ? static_cast<std::int64_t>(*got) : failure_of(got.error());
    }
    case operation_kind::observe: return wait_for(wanted, WNOWAIT);
    case operation_kind::reap: return wait_for(wanted, 0);
    case operation_kind::signal: return send_signal(wanted);
    case operation_kind::close: os::close_descriptor(wanted.fd); return 0;
    case operation_kind::poll:
    case operation_kind::timeout:
    case operation_kind::cancel: break;
  }
  return -EINVAL;
}

}  // namespace bast
