// SPDX-License-Identifier: Apache-2.0
#include "bast/os/process.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bast/config.hpp>

#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000  // <linux/sched.h>, Linux 5.2
#endif

#if BAST_WITH_TSAN
// The same function under a name that ThreadSanitizer does not intercept. Its `clone` assumes that
// the child has a copy of the memory, and disables itself there: in our memory.
extern "C" int __clone(int (*entry)(void*), void* stack_top, int flags, void* argument, ...);
#endif

namespace bast::inline BAST_ABI::os {
namespace {

using internal::failed;
using internal::system_call;

constexpr int pidfd_kind = 3;                 // P_PIDFD of waitid(2), Linux 5.4
constexpr std::size_t kernel_mask_bytes = 8;  // sizeof(sigset_t) of the kernel

int raw_clone(process_entry entry, std::byte* stack_top, int flags, void* argument,
              int* pidfd) noexcept {
#if BAST_WITH_TSAN
  return ::__clone(entry, stack_top, flags, argument, pidfd);
#else
  return ::clone(entry, stack_top, flags, argument, pidfd);
#endif
}

}  // namespace

result<started_process> start_process(process_memory memory, process_entry entry, void* argument,
                                      std::byte* stack_top) noexcept {
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(stack_top) % 16 == 0);
  const int before = errno;
  // CLONE_VFORK: the caller sleeps while the child uses its memory. SIGCHLD: an ordinary child,
  // which waitid finds without __WCLONE.
  const int flags =
      memory == process_memory::shared ? CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD : SIGCHLD;
  int pidfd = -1;
  const int pid = system_call(call::spawn, -1,
                              [&] { return raw_clone(entry, stack_top, flags, argument, &pidfd); });
  if (pid < 0) return failed("os.start_process", "clone refused", error::no_value, errc::limit);
  // An emulator may ignore CLONE_PIDFD; the descriptor is then empty.
  started_process started{.pid = pid, .pidfd = descriptor(above_standard(pidfd))};
  errno = before;  // A child that shares our memory may have changed it.
  return started;
}

std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(::gettid()); }

result<descriptor> open_pidfd(pid_t pid) noexcept {
  // Always close-on-exec; there is no flag for it.
  const long opened =
      system_call(call::pidfd_open, -1L, [=] { return ::syscall(SYS_pidfd_open, pid, 0); });
  const int fd = above_standard(static_cast<int>(opened));
  if (fd < 0) return failed("os.open_pidfd", "pidfd_open refused", pid);
  return descriptor(fd);
}

result<wait_outcome> wait_process(int pidfd, int options, rusage* usage) noexcept {
  siginfo_t info{};
  long status = -1;
  do {
    // The raw call: glibc's waitid lacks the fifth argument.
    status = system_call(call::wait, -1L, [&] {
      return ::syscall(SYS_waitid, pidfd_kind, pidfd, &info, options, usage);
    });
  } while (status != 0 && errno == EINTR);
  if (status != 0) return failed("os.wait_process", "waitid refused the pidfd", pidfd);
  return wait_outcome{.pid = info.si_pid, .cause = info.si_code, .status = info.si_status};
}

void destroy_process(const started_process& child) noexcept {
  const bool by_pidfd = static_cast<bool>(child.pidfd);
  if (by_pidfd) {
    (void)::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
  } else {
    (void)::kill(child.pid, SIGKILL);
  }
  // Before the leader is reaped: until then no other group can have this number. If the child
  // failed early, there is no group yet.
  if (child.leads_group) (void)::kill(-child.pid, SIGKILL);
  const long id = by_pidfd ? child.pidfd.get() : child.pid;
  siginfo_t info{};
  while (::syscall(SYS_waitid, by_pidfd ? pidfd_kind : P_PID, id, &info, WEXITED, nullptr) != 0 &&
         errno == EINTR) {
  }
}

result<void> signal_process(int pidfd, int signal_number) noexcept {
  const long status = system_call(call::signal, -1L, [=] {
    return ::syscall(SYS_pidfd_send_signal, pidfd, signal_number, nullptr, 0);
  });
  if (status != 0) {
    return failed("os.signal_process", "pidfd_send_signal refused the signal", signal_number);
  }
  return {};
}

result<void> signal_group(pid_t group, int signal_number) noexcept {
  BAST_CHECK(group > 1, "0 and -1 would signal the caller's own group, or all processes");
  const int status = system_call(call::signal, -1, [=] { return ::kill(-group, signal_number); });
  if (status != 0) return failed("os.signal_group", "kill refused the group", group);
  return {};
}

signals_blocked::signals_blocked() noexcept {
  // The raw call: pthread_sigmask omits the signals that glibc uses itself. Cannot fail with these
  // arguments.
  const std::uint64_t all = ~std::uint64_t{0};
  (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, kernel_mask_bytes);
}

signals_blocked::~signals_blocked() {
  (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, kernel_mask_bytes);
}

}  // namespace bast::inline BAST_ABI::os
