// SPDX-License-Identifier: Apache-2.0
//
// Fault injection: the library makes every system call through `system_call(kind, failure, f)`,
// where a test can make the k-th call of a kind fail, once or from then on, with a chosen errno.
//
//   bast::os::fault_scope fault({.kind = call::protect, .nth = 3, .error_number = ENOMEM});
//   ... the third mprotect fails ...
//   EXPECT_EQ(fault.injected(), 1);
//
// The plan is data, not a hook: a hardened process should have no writable function pointer beside
// its system calls. Unarmed, it costs one relaxed load and a predicted branch beside a system call
// of 200 ns. Async-signal-safe: the fault handler uses it, too.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cerrno>
#include <cstdint>

namespace bast::inline BAST_ABI::os {

/// The kinds of system call that this library makes.
enum class call : std::uint8_t {
  map,            // mmap
  unmap,          // munmap
  protect,        // mprotect
  advise,         // madvise, guard markers excepted
  guard_install,  // madvise(MADV_GUARD_INSTALL)
  guard_remove,   // madvise(MADV_GUARD_REMOVE)
  residency,      // mincore
  sigaction,
  sigaltstack,
  allocate,     // malloc
  futex_wait,   // futex(FUTEX_WAIT); waking cannot fail
  pipe,         // pipe2
  memory_file,  // memfd_create
  event,        // eventfd
  open,         // openat
  duplicate,    // fcntl(F_DUPFD_CLOEXEC)
  spawn,        // clone, or fork if clone is refused
  pidfd_open,   // pidfd_open, if clone returned no pidfd
  wait,         // waitid
  signal,       // pidfd_send_signal, kill
  read,         // read
  write,        // write
  epoll,        // epoll_create1, epoll_ctl, epoll_pwait2, epoll_wait
  poll,         // poll
  thread,       // pthread_create
  socket,       // socket, bind, listen, accept4, getsockopt, sendmsg
  any,          // in a plan: a call of any kind
};
inline constexpr int call_kinds = static_cast<int>(call::any);

const char* name_of(call kind) noexcept;

/// Which calls fail. Of the calls of `kind`, counted from 1 since the scope began: the `nth`, or
/// the `nth` and all later ones if `persistent`; and `also_nth`, to make the cleanup of a failure
/// fail.
struct fault_plan {
  call kind = call::any;
  std::uint64_t nth = 0;       // 0: none fails, the scope only counts
  std::uint64_t also_nth = 0;  // 0: no second one
  bool persistent = false;
  int error_number = ENOMEM;
};

/// Arms a plan for the whole process during its lifetime. One at a time (checked). The counters are
/// exact across threads.
class fault_scope {
 public:
  explicit fault_scope(fault_plan plan = {}) noexcept;
  ~fault_scope();
  fault_scope(const fault_scope&) = delete;
  fault_scope& operator=(const fault_scope&) = delete;

  /// Calls of the plan's kind since the scope began.
  std::uint64_t seen() const noexcept;
  /// The number of those calls that the plan made fail.
  std::uint64_t injected() const noexcept;
};

namespace internal {

[[gnu::visibility("default")]] inline constinit std::atomic<bool> faults_armed{false};

/// The errno to fail with, or 0 to make the call.
[[gnu::cold, gnu::noinline]] int injected_errno(call kind) noexcept;

/// Makes the call `f`, which returns -1 or MAP_FAILED and errno as libc does. If the plan makes it
/// fail, sets errno and returns `failure` without calling `f`.
template <class R, class F>
inline R system_call(call kind, R failure, F f) noexcept {
  if (faults_armed.load(std::memory_order_relaxed)) [[unlikely]] {
    const int error_number = injected_errno(kind);
    if (error_number != 0) {
      errno = error_number;
      return failure;
    }
  }
  return f();
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI::os
