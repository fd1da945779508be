// SPDX-License-Identifier: Apache-2.0
#include "bast/process/spawn_child.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <type_traits>

// For a macro and an enum without functions: nothing to instrument or call.
#include "bast/base.hpp"
#include "bast/process/spawn_stage.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr unsigned close_range_cloexec = 4;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
constexpr long signals_max = 64;             // _NSIG of the kernel, on x86-64 and aarch64
constexpr unsigned long kernel_mask_bytes = 8;
constexpr int failed_status = 127;  // never observed: the parent reaps
// The value for an unlimited soft limit of descriptors.
constexpr unsigned long descriptors_max = 1UL << 20;

// syscall(2) reads whole registers: the upper half of an int would be undefined.
template <class T>
auto word(T argument) noexcept {
  if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>) {
    return static_cast<const void*>(argument);
  } else {
    return static_cast<long>(argument);
  }
}

/// A raw kernel call: returns its value, or minus its errno.
template <class... Arguments>
long kernel(long number, Arguments... arguments) noexcept {
  // NOLINTNEXTLINE(bast-syscall): no fault injection in the child
  const long status = ::syscall(number, word(arguments)...);
  return status == -1 ? -errno : status;
}

[[noreturn]] void leave() noexcept {
  for (;;) kernel(SYS_exit_group, failed_status);
}

[[noreturn]] void fail(const child_plan& plan, spawn_stage stage, long status) noexcept {
  const child_report report = {.stage = static_cast<std::int32_t>(stage),
                               .error_number = static_cast<std::int32_t>(-status)};
  while (kernel(SYS_write, plan.report, &report, sizeof report) == -EINTR) {
  }
  leave();
}

void require(const child_plan& plan, spawn_stage stage, long status) noexcept {
  if (status < 0) fail(plan, stage, status);
}

bool is_target(const child_plan& plan, long fd) noexcept {
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    if (plan.moves[i].target == fd) return true;
  }
  return false;
}

/// Copies `fd` to a number that is not a target. A copy that does land on a target stays there: it
/// is closed on exec, and the move to that target replaces it.
long move_aside(const child_plan& plan, int fd) noexcept {
  long moved = 3;  // Never a standard number: those are always targets.
  do {
    moved = kernel(SYS_fcntl, fd, F_DUPFD_CLOEXEC, moved);  // Above the previous copy.
  } while (moved >= 0 && is_target(plan, moved));
  return moved;
}

/// Returns true if a move other than `i` replaces the source of move `i`.
bool is_endangered(const child_plan& plan, std::size_t i) noexcept {
  return plan.moves[i].source != plan.moves[i].target && is_target(plan, plan.moves[i].source);
}

void arrange_descriptors(child_plan& plan) noexcept {
  constexpr auto stage = spawn_stage::descriptors;
  if (is_target(plan, plan.report)) {
    const long moved = move_aside(plan, plan.report);
    require(plan, stage, moved);
    plan.report = static_cast<int>(moved);
  }
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    if (!is_endangered(plan, i)) continue;
    const long moved = move_aside(plan, plan.moves[i].source);
    require(plan, stage, moved);
    plan.moves[i].source = static_cast<int>(moved);
  }
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    const auto [source, target] = plan.moves[i];
    // dup3 refuses equal numbers; then only the flag must be cleared. No EINTR: every signal is
    // blocked.
    const long status = source == target ? kernel(SYS_fcntl, target, F_SETFD, 0)
                                         : kernel(SYS_dup3, source, target, 0);
    require(plan, stage, status);
  }
}

void mark_one(const child_plan& plan, long fd) noexcept {
  if (!is_target(plan, fd)) kernel(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
}

void mark_foreign(const child_plan& plan) noexcept {
  if (plan.keep_foreign_fds) return;
  if (mark_by_range(plan) || mark_by_listing(plan)) return;
  (void)mark_by_trying(plan);
}

/// Resets all dispositions: caught signals, because their handlers must not run in this memory, and
/// ignored ones, which would survive the exec. Every signal is blocked until this is done.
void reset_signals() noexcept {
  // The kernel's sigaction: handler, flags, restorer, mask. All zero is SIG_DFL.
  const unsigned long by_default[4] = {};
  for (long number = 1; number <= signals_max; ++number) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    kernel(SYS_rt_sigaction, number, by_default, nullptr, kernel_mask_bytes);
  }
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  kernel(SYS_sigaltstack, &none, nullptr);
}

void unblock_signals() noexcept {
  if (BAST_MUTANT(signals_stay_blocked)) return;
  const std::uint64_t none = 0;
  kernel(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_mask_bytes);
}

void set_group(const child_plan& plan) noexcept {
  long status = 0;
  switch (plan.group) {
    case child_group::same: break;
    case child_group::own:
    case child_group::foreground: status = kernel(SYS_setpgid, 0, 0); break;
    case child_group::session:
    case child_group::session_with_terminal: status = kernel(SYS_setsid); break;
  }
  require(plan, spawn_stage::group, status);
}

/// Called after the descriptors: the terminal is at the new stdin. SIGTTOU, which tcsetpgrp sends
/// to a background group, is blocked.
void take_terminal(const child_plan& plan) noexcept {
  long status = 0;
  if (plan.group == child_group::session_with_terminal) status = kernel(SYS_ioctl, 0, TIOCSCTTY, 0);
  if (plan.group == child_group::foreground) {
    const auto group = static_cast<pid_t>(kernel(SYS_getpid));
    status = kernel(SYS_ioctl, 0, TIOCSPGRP, &group);
  }
  require(plan, spawn_stage::terminal, status);
}

void set_limits(const child_plan& plan) noexcept {
  for (std::size_t i = 0; i < plan.limit_count; ++i) {
    const child_limit& limit = plan.limits[i];
    require(plan, spawn_stage::limits,
            kernel(SYS_prlimit64, 0, limit.resource, &limit.value, nullptr));
  }
}

/// Groups first: without the user's privilege they could not be changed. The raw calls change this
/// process only; glibc's would also change the parent's threads.
void set_ids(const child_plan& plan) noexcept {
  constexpr auto stage = spawn_stage::ids;
  if (plan.has_groups) {
    require(plan, stage, kernel(SYS_setgroups, plan.group_count, plan.groups));
  } else if (plan.has_user && kernel(SYS_geteuid) == 0) {
    // A user with root's groups would keep root's access.
    require(plan, stage, kernel(SYS_setgroups, 0L, nullptr));
  }
  if (plan.has_primary_group) {
    const gid_t group = plan.primary_group;
    require(plan, stage, kernel(SYS_setresgid, group, group, group));
  }
  if (plan.has_user) {
    require(plan, stage, kernel(SYS_setresuid, plan.user, plan.user, plan.user));
  }
}

/// Called after the ids, whose change clears it.
void set_parent_death(const child_plan& plan) noexcept {
  if (plan.parent_death_signal == 0) return;
  require(plan, spawn_stage::parent_death,
          kernel(SYS_prctl, PR_SET_PDEATHSIG, plan.parent_death_signal, 0, 0, 0));
  // The parent may have died before: then no process reads a report either.
  if (kernel(SYS_getppid) != plan.parent) leave();
}

void wait_at_gate(const child_plan& plan) noexcept {
  if (plan.gate[0] < 0) return;
  // Our copy of the other end would block us permanently if the parent died.
  kernel(SYS_close, plan.gate[1]);
  char byte = 0;
  long size = 0;
  do {
    size = kernel(SYS_read, plan.gate[0], &byte, 1);
  } while (size == -EINTR);
  if (size != 1) leave();
  kernel(SYS_close, plan.gate[0]);
}

}  // namespace

bool mark_by_range(const child_plan& plan) noexcept {
  unsigned from = 0;
  for (std::size_t i = 0; i < plan.move_count; ++i) {  // I1: ascending
    const auto target = static_cast<unsigned>(plan.moves[i].target);
    if (from < target && kernel(SYS_close_range, from, target - 1, close_range_cloexec) < 0) {
      return false;
    }
    from = target + (BAST_MUTANT(foreign_descriptor_kept) ? 2 : 1);
  }
  return kernel(SYS_close_range, from, ~0U, close_range_cloexec) >= 0;
}

bool mark_by_listing(const child_plan& plan) noexcept {
  const long directory =
      kernel(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (directory < 0) return false;
  alignas(8) char buffer[2048];
  long size = 0;
  while ((size = kernel(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < size;) {
      // struct linux_dirent64: ino 8 bytes, off 8, reclen 2 (little-endian), type 1, name.
      const auto low = static_cast<unsigned char>(buffer[at + 16]);
      const auto high = static_cast<unsigned char>(buffer[at + 17]);
      const char* digits = buffer + at + 19;
      long fd = 0;
      const bool is_number = *digits >= '0' && *digits <= '9';
      for (; *digits != '\0'; ++digits) fd = fd * 10 + (*digits - '0');
      if (is_number) mark_one(plan, fd);
      at += low | high << 8;
    }
  }
  kernel(SYS_close, directory);
  return size == 0;
}

bool mark_by_trying(const child_plan& plan) noexcept {
  rlimit64 limit{};
  kernel(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit);
  const auto end = limit.rlim_cur < descriptors_max ? limit.rlim_cur : descriptors_max;
  for (unsigned long fd = 0; fd < end; ++fd) mark_one(plan, static_cast<long>(fd));
  return true;
}

int child_main(void* argument) noexcept {
  child_plan& plan = *static_cast<child_plan*>(argument);
  plan.shared = true;
  wait_at_gate(plan);
  reset_signals();
  set_group(plan);
  if (plan.has_umask) kernel(SYS_umask, plan.umask);
  arrange_descriptors(plan);
  take_terminal(plan);
  mark_foreign(plan);
  set_limits(plan);  // After the descriptors: their own limit must not apply.
  set_ids(plan);     // After the limits: raising one may need the privilege.
  set_parent_death(plan);
  // With the new ids: the program must be able to enter the working directory.
  if (plan.directory != nullptr) {
    require(plan, spawn_stage::chdir, kernel(SYS_chdir, plan.directory));
  }
  unblock_signals();
  fail(plan, spawn_stage::exec, kernel(SYS_execve, plan.program, plan.arguments, plan.environment));
}

}  // namespace bast::inline BAST_ABI::internal
