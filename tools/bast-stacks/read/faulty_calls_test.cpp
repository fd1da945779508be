// SPDX-License-Identifier: Apache-2.0
//
// What the readers call instead of libc: the same, but for what a `faulty_call` asks for. No tests,
// but a part of every test.
#include "read/testing/faulty_calls.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>

namespace bast_stacks::testing {
namespace {

struct planned {
  faulty_call::fault fault{.after = -1};
  int calls = 0;
  bool active = false;
};
thread_local planned plans[static_cast<std::size_t>(called::count)];

/// False when the call is to fail, with errno. `bytes`, where there are any, is cut.
bool goes_on(called which, std::size_t* bytes = nullptr) {
  planned& plan = plans[static_cast<std::size_t>(which)];
  if (!plan.active) return true;
  const int call = plan.calls++ - plan.fault.after;
  if (call < 0 || call >= plan.fault.times) return true;
  if (plan.fault.error != 0) {
    errno = plan.fault.error;
    return false;
  }
  if (bytes != nullptr) *bytes = std::min(*bytes, plan.fault.most);
  return true;
}

}  // namespace

faulty_call::faulty_call(called which, const fault& what) : which_(which) {
  plans[static_cast<std::size_t>(which)] = {.fault = what, .calls = 0, .active = true};
}
faulty_call::~faulty_call() { plans[static_cast<std::size_t>(which_)].active = false; }
int faulty_call::calls() const { return plans[static_cast<std::size_t>(which_)].calls; }

}  // namespace bast_stacks::testing

using bast_stacks::testing::called;
using bast_stacks::testing::goes_on;

extern "C" {

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list all;
  va_start(all, request);
  void* const argument = va_arg(all, void*);
  va_end(all);
  if (!goes_on(called::ioctl)) return -1;
  return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
}
ssize_t pread(int fd, void* into, std::size_t bytes, off_t offset) {
  if (!goes_on(called::pread, &bytes)) return -1;
  return ::syscall(SYS_pread64, fd, into, bytes, offset);
}
ssize_t read(int fd, void* into, std::size_t bytes) {
  if (!goes_on(called::read, &bytes)) return -1;
  return ::syscall(SYS_read, fd, into, bytes);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (!goes_on(called::recvmsg)) return -1;
  return ::syscall(SYS_recvmsg, fd, message, flags);
}
ssize_t process_vm_readv(pid_t pid, const iovec* ours, unsigned long our_count, const iovec* theirs,
                         unsigned long their_count, unsigned long flags) noexcept {
  if (!goes_on(called::process_vm_readv)) return -1;
  return ::syscall(SYS_process_vm_readv, pid, ours, our_count, theirs, their_count, flags);
}
pid_t waitpid(pid_t pid, int* status, int options) {
  if (!goes_on(called::waitpid)) return -1;
  return static_cast<pid_t>(::syscall(SYS_wait4, pid, status, options, nullptr));
}
int ppoll(pollfd* all, nfds_t count, const timespec* limit, const sigset_t* mask) {
  if (!goes_on(called::ppoll)) return -1;
  timespec left{};
  if (limit != nullptr) left = *limit;  // The kernel writes to it.
  return static_cast<int>(
      ::syscall(SYS_ppoll, all, count, limit == nullptr ? nullptr : &left, mask, std::size_t{8}));
}

}  // extern "C"
