// SPDX-License-Identifier: Apache-2.0
#include "bast/process/perform.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

namespace {

std::int64_t failure_of(const error& e) noexcept {
  return e.error_number() != 0 ? -e.error_number() : -EIO;
}

std::int64_t wait_for(const machine_operation& wanted, int options) noexcept {
  child_exit seen{};
  const auto told = os::wait_process(wanted.fd, WEXITED | WNOHANG | options, &seen.usage);
  if (!told) return failure_of(told.error());
  if (told->pid == 0) return 0;
  seen.code = told->cause;
  seen.status = told->status;
  *wanted.exit = seen;
  return 1;
}

/// Signals the leader first, by its pidfd. Only while the leader exists unreaped is the group's
/// number still its own (P-11). If the signal to the leader is refused, for example by a sandbox or
/// for another user's child, the group still gets it.
std::int64_t send_signal(const machine_operation& wanted, int number) noexcept {
  const auto to_leader = os::signal_process(wanted.fd, number);
  if (!to_leader) {
    const bool gone = to_leader.error().error_number() == ESRCH;
    if (gone || !os::wait_process(wanted.fd, WEXITED | WNOHANG | WNOWAIT)) {
      return failure_of(to_leader.error());
    }
  }
  if (wanted.group != 0) {
    const auto to_group = os::signal_group(wanted.group, number);
    if (to_leader && !to_group && to_group.error().error_number() != ESRCH) {
      return failure_of(to_group.error());
    }
  }
  return to_leader ? 0 : failure_of(to_leader.error());
}

std::int64_t send_signal(const machine_operation& wanted) noexcept {
  const std::int64_t status = send_signal(wanted, wanted.signal);
  // A stopped process would act on the signal only when continued. Best effort; SIGKILL does not
  // need it.
  if (status == 0 && wanted.signal != SIGKILL) (void)send_signal(wanted, SIGCONT);
  return status;
}

std::int64_t reap(const machine_operation& wanted) noexcept {
  // While the leader exists, the number belongs to its group (P-12).
  if (wanted.group != 0 && os::adopts_orphans()) os::reap_orphans(wanted.group);
  return wait_for(wanted, 0);
}

std::int64_t look_for_members(const machine_operation& wanted) noexcept {
  const auto has = os::group_has_members(wanted.group);
  if (!has) return failure_of(has.error());
  return *has ? 1 : 0;
}

}  // namespace

std::int64_t perform(const machine_operation& wanted) noexcept {
  switch (wanted.kind) {
    case operation_kind::read: {
      const auto got = os::read_some(wanted.fd, {wanted.buffer, wanted.length});
      return got ? static_cast<std::int64_t>(*got) : failure_of(got.error());
    }
    case operation_kind::observe: return wait_for(wanted, WNOWAIT);
    case operation_kind::reap: return reap(wanted);
    case operation_kind::signal: return send_signal(wanted);
    case operation_kind::members: return look_for_members(wanted);
    case operation_kind::close: os::close_descriptor(wanted.fd); return 0;
    case operation_kind::poll:
    case operation_kind::poll_to_write:
    case operation_kind::timeout:
    case operation_kind::cancel: break;
  }
  return -EINVAL;
}

}  // namespace bast::inline BAST_ABI
