// SPDX-License-Identifier: Apache-2.0
//
// The readers call these instead of libc: the same, except for the failures that a `faulty_call`
// requests. Not a test, but linked into every test.
#include "read/testing/faulty_calls.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bast/config.hpp>
#include <cerrno>
#include <cstdarg>
#include <type_traits>
#include <utility>

namespace bast_stacks::testing {
namespace {

struct planned {
  faulty_call::fault fault{.after = -1};
  int calls = 0;
  bool active = false;
  const answered_call::answer* answer = nullptr;
};
thread_local planned plans[static_cast<std::size_t>(called::count)];

planned& plan_of(called which) { return plans[static_cast<std::size_t>(which)]; }

/// False if the call is to fail, with errno. Cuts `bytes`, if given.
bool goes_on(called which, std::size_t* bytes = nullptr) {
  planned& plan = plan_of(which);
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

/// The scripted result of a test, in the form that the function returns.
std::optional<long> answered(called which, const answered_call::arguments& given) {
  planned& plan = plan_of(which);
  const auto* const by = std::exchange(plan.answer, nullptr);
  if (by == nullptr) return std::nullopt;
  std::optional<long> said = (*by)(given);
  plan.answer = by;
  if (said && *said < 0 && *said > -4096) {  // the kernel's form of an errno
    errno = static_cast<int>(-*said);
    said = -1;
  }
  return said;
}

template <class Word>
long word_of(Word value) {
  if constexpr (std::is_pointer_v<Word> || std::is_null_pointer_v<Word>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

/// The call itself, unless a test makes it fail or scripts its result.
template <class... Words>
long kernel_call(called which, long number, Words... words) {
  if (const auto said = answered(which, {word_of(words)...})) return *said;
  if (!goes_on(which)) return -1;
  return ::syscall(number, words...);
}

template <class F>
F* next_of(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

faulty_call::faulty_call(called which, const fault& what) : which_(which) {
  planned& plan = plan_of(which);
  plan.fault = what;
  plan.calls = 0;
  plan.active = true;
}
faulty_call::~faulty_call() { plan_of(which_).active = false; }
int faulty_call::calls() const { return plan_of(which_).calls; }

answered_call::answered_call(called which, answer by) : which_(which), by_(std::move(by)) {
  plan_of(which).answer = &by_;
}
answered_call::~answered_call() { plan_of(which_).answer = nullptr; }

}  // namespace bast_stacks::testing

using bast_stacks::testing::answered;
using bast_stacks::testing::called;
using bast_stacks::testing::goes_on;
using bast_stacks::testing::kernel_call;
using bast_stacks::testing::next_of;
using bast_stacks::testing::word_of;

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  return static_cast<int>(kernel_call(called::clock_gettime, SYS_clock_gettime, clock, now));
}
int connect(int fd, const sockaddr* address, socklen_t bytes) {
  return static_cast<int>(kernel_call(called::connect, SYS_connect, fd, address, bytes));
}
uid_t geteuid() noexcept { return static_cast<uid_t>(kernel_call(called::geteuid, SYS_geteuid)); }
int getsockopt(int fd, int level, int name, void* value, socklen_t* bytes) noexcept {
  return static_cast<int>(
      kernel_call(called::getsockopt, SYS_getsockopt, fd, level, name, value, bytes));
}
int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list all;
  va_start(all, request);
  void* const argument = va_arg(all, void*);
  va_end(all);
  return static_cast<int>(kernel_call(called::ioctl, SYS_ioctl, fd, request, argument));
}
int kill(pid_t pid, int signal) noexcept {
  return static_cast<int>(kernel_call(called::kill, SYS_kill, pid, signal));
}
#if !BAST_WITH_ASAN
void* mmap(void* at, std::size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  return reinterpret_cast<void*>(
      kernel_call(called::mmap, SYS_mmap, at, bytes, protection, flags, fd, offset));
}
#endif
int open(const char* path, int flags, ...) {
  va_list all;
  va_start(all, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(all, mode_t) : 0;
  va_end(all);
  if (const auto said = answered(called::open, {word_of(path), flags}))
    return static_cast<int>(*said);
  if (!goes_on(called::open)) return -1;
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int poll(pollfd* all, nfds_t count, int milliseconds) {
  if (const auto said = answered(called::poll, {word_of(all), word_of(count), milliseconds}))
    return static_cast<int>(*said);
  timespec left{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
  if (!goes_on(called::poll)) return -1;
  return static_cast<int>(::syscall(SYS_ppoll, all, count, milliseconds < 0 ? nullptr : &left,
                                    nullptr, std::size_t{8}));
}
int ppoll(pollfd* all, nfds_t count, const timespec* limit, const sigset_t* mask) {
  timespec left{};
  if (limit != nullptr) left = *limit;  // The kernel writes to it.
  return static_cast<int>(kernel_call(called::ppoll, SYS_ppoll, all, count,
                                      limit == nullptr ? nullptr : &left, mask, std::size_t{8}));
}
ssize_t pread(int fd, void* into, std::size_t bytes, off_t offset) {
  if (const auto said = answered(called::pread, {fd, word_of(into), word_of(bytes), offset}))
    return *said;
  if (!goes_on(called::pread, &bytes)) return -1;
  return ::syscall(SYS_pread64, fd, into, bytes, offset);
}
ssize_t process_vm_readv(pid_t pid, const iovec* ours, unsigned long our_count, const iovec* theirs,
                         unsigned long their_count, unsigned long flags) noexcept {
  return kernel_call(called::process_vm_readv, SYS_process_vm_readv, pid, ours, our_count, theirs,
                     their_count, flags);
}
ssize_t read(int fd, void* into, std::size_t bytes) {
  if (const auto said = answered(called::read, {fd, word_of(into), word_of(bytes)})) return *said;
  if (!goes_on(called::read, &bytes)) return -1;
  return ::syscall(SYS_read, fd, into, bytes);
}
ssize_t readlink(const char* path, char* into, std::size_t bytes) noexcept {
  if (const auto said = answered(called::readlink, {word_of(path), word_of(into), word_of(bytes)}))
    return *said;
  if (!goes_on(called::readlink)) return -1;
  return ::syscall(SYS_readlinkat, AT_FDCWD, path, into, bytes);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  return kernel_call(called::recvmsg, SYS_recvmsg, fd, message, flags);
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t bytes) noexcept {
  return static_cast<int>(
      kernel_call(called::setsockopt, SYS_setsockopt, fd, level, name, value, bytes));
}
int socket(int domain, int type, int protocol) noexcept {
  return static_cast<int>(kernel_call(called::socket, SYS_socket, domain, type, protocol));
}
int stat(const char* path, struct stat* into) noexcept {
  if (const auto said = answered(called::stat, {word_of(path), word_of(into)}))
    return static_cast<int>(*said);
  if (!goes_on(called::stat)) return -1;
  return ::fstatat(AT_FDCWD, path, into, 0);
}
long syscall(long number, ...) noexcept {
  va_list all;
  va_start(all, number);
  long words[6];
  for (long& each : words) each = va_arg(all, long);
  va_end(all);
  if (const auto said =
          answered(called::syscall, {number, words[0], words[1], words[2], words[3], words[4]}))
    return *said;
  static auto* const next = next_of<long(long, ...)>("syscall");
  return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
long sysconf(int name) noexcept {
  if (const auto said = answered(called::sysconf, {name})) return *said;
  if (!goes_on(called::sysconf)) return -1;
  static auto* const next = next_of<long(int)>("sysconf");
  return next(name);
}
pid_t waitpid(pid_t pid, int* status, int options) {
  return static_cast<pid_t>(kernel_call(called::waitpid, SYS_wait4, pid, status, options, nullptr));
}

}  // extern "C"
