// SPDX-License-Identifier: Apache-2.0
//
// Fault injection: every system call of this library is made through `system_call(kind, f)`, where a
// test can make the k-th call of a kind fail, once or from then on, with an errno of its choice.
//
//   bast::os::fault_scope fault({.kind = bast::os::call::protect, .nth = 3, .error_number =
//   ENOMEM});
//   ... the third mprotect fails ...
//   EXPECT_EQ(fault.injected(), 1);
//
// The plan is data, not a hook: a library that must not fail keeps no writable function pointer
// beside its kernel calls. Unarmed, it costs one relaxed load and a predicted branch next to
// a kernel call of 200 ns. Async-signal-safe: the fault handler passes through it too.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cerrno>
#include <cstdint>

namespace bast::os {

/// The kinds of kernel call that this library makes.
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
  allocate,     // malloc: memory that is no mapping
  futex_wait,   // futex(FUTEX_WAIT); waking cannot fail
  pipe,         // pipe2
  memory_file,  // memfd_create
  event,        // eventfd
  open,         // openat
  duplicate,    // fcntl(F_DUPFD_CLOEXEC)
  spawn,        // clone, and fork where that is refused
  pidfd_open,   // pidfd_open, where clone gave none
  wait,         // waitid
  signal,       // pidfd_send_signal, kill
  read,         // read
  write,        // write
  epoll,        // epoll_create1, epoll_ctl, epoll_wait
  socket,       // socket, bind, listen, accept4, getsockopt, sendmsg
  any,          // in a plan: whichever comes
};
inline constexpr int call_kinds = static_cast<int>(call::any);

const char* name_of(call kind) noexcept;

/// Which calls fail: those of `kind` from the `nth` (counted from 1 since the scope began) on, one
/// of them, or all of them when `persistent`; and one more, for what fails while a failure is
/// cleaned up.
struct fault_plan {
  call kind = call::any;
  std::uint64_t nth = 0;       // 0: none fails, the scope only counts
  std::uint64_t also_nth = 0;  // 0: no second one
  bool persistent = false;
  int error_number = ENOMEM;
};

/// Arms a plan for the whole process while it lives. One at a time (checked). The counters are
/// exact across threads.
class fault_scope {
 public:
  explicit fault_scope(fault_plan plan = {}) noexcept;
  ~fault_scope();
  fault_scope(const fault_scope&) = delete;
  fault_scope& operator=(const fault_scope&) = delete;

  /// Calls of the plan's kind since the scope began.
  std::uint64_t seen() const noexcept;
  /// How many of them failed by the plan.
  std::uint64_t injected() const noexcept;
};

namespace internal {

inline constinit std::atomic<bool> faults_armed{false};

/// The errno to fail with, or 0 to let the call through.
[[gnu::cold, gnu::noinline]] int injected_errno(call kind) noexcept;

/// Makes the call `f` (returning -1 or MAP_FAILED and errno as libc does), unless the plan says
/// that it fails: then `failure` is returned with errno set and `f` is not called.
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
}  // namespace bast::os
