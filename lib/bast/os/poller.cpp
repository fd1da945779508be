// SPDX-License-Identifier: Apache-2.0
#include "bast/os/poller.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "bast/os/clock.hpp"
#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::failed;
using internal::system_call;

constexpr std::uint32_t once(readiness awaited) noexcept {
  std::uint32_t events = EPOLLONESHOT;
  if (awaited != readiness::writable) events |= EPOLLIN;
  if (awaited != readiness::readable) events |= EPOLLOUT;
  return events;
}

int control(int poller, int operation, int fd, std::uint64_t data, std::uint32_t events) noexcept {
  epoll_event event{.events = events, .data = {.u64 = data}};
  return system_call(call::epoll, -1, [&] { return ::epoll_ctl(poller, operation, fd, &event); });
}

/// Milliseconds from the current time, rounded up so that no deadline is early.
int milliseconds_until(std::int64_t deadline_ns) noexcept {
  constexpr std::int64_t millisecond = 1'000'000;
  const std::int64_t now = monotonic_ns();
  if (deadline_ns == INT64_MAX) return -1;
  if (deadline_ns <= now) return 0;
  const std::int64_t left = deadline_ns - now;
  return static_cast<int>(std::min<std::int64_t>((left - 1) / millisecond + 1, INT_MAX));
}

// The interceptors of these sanitizers learn from epoll_wait what the kernel wrote, and what it
// ordered; they know no bare system call.
#if !BAST_WITH_TSAN && !BAST_WITH_MSAN && defined(SYS_epoll_pwait2)
constexpr bool has_nanoseconds = true;
#else
constexpr bool has_nanoseconds = false;
#endif

/// As epoll_wait, at most until the deadline. -1 and ENOSYS where there is no such call: before
/// Linux 5.11, and EPERM under a seccomp filter that is older than it.
int wait_in_nanoseconds(int poller, std::span<epoll_event> events,
                        std::int64_t deadline_ns) noexcept {
#if defined(SYS_epoll_pwait2)
  constexpr std::int64_t second = 1'000'000'000;
  // The kernel's __kernel_timespec: 64 bits each, whatever libc has.
  struct {
    std::int64_t seconds;
    std::int64_t nanoseconds;
  } left{};
  if (deadline_ns != INT64_MAX) {
    const std::int64_t now = monotonic_ns();
    if (deadline_ns > now) left = {(deadline_ns - now) / second, (deadline_ns - now) % second};
  }
  return static_cast<int>(::syscall(SYS_epoll_pwait2, poller, events.data(),
                                    static_cast<int>(events.size()),
                                    deadline_ns != INT64_MAX ? &left : nullptr, nullptr, 0));
#else
  (void)poller, (void)events, (void)deadline_ns;
  errno = ENOSYS;
  return -1;
#endif
}

}  // namespace

result<descriptor> make_event() noexcept {
  const int fd = above_standard(
      system_call(call::event, -1, [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }));
  if (fd < 0) return failed("os.make_event", "eventfd refused");
  return descriptor(fd);
}

result<void> set_event(int event) noexcept {
  const std::uint64_t one = 1;
  const ssize_t size = system_call(call::write, static_cast<ssize_t>(-1),
                                   [&] { return ::write(event, &one, sizeof one); });
  // EAGAIN: the counter is at its maximum, so the eventfd is readable.
  if (size < 0 && errno != EAGAIN) return failed("os.set_event", "write refused", event);
  return {};
}

result<descriptor> make_poller() noexcept {
  const int fd =
      above_standard(system_call(call::epoll, -1, [] { return ::epoll_create1(EPOLL_CLOEXEC); }));
  if (fd < 0) return failed("os.make_poller", "epoll_create1 refused");
  return descriptor(fd);
}

result<void> watch_once(int poller, int fd, std::uint64_t data, readiness awaited) noexcept {
  // Most descriptors are watched repeatedly.
  int status = control(poller, EPOLL_CTL_MOD, fd, data, once(awaited));
  if (status != 0 && errno == ENOENT) {
    status = control(poller, EPOLL_CTL_ADD, fd, data, once(awaited));
  }
  if (status != 0) return failed("os.watch_once", "epoll_ctl refused the descriptor", fd);
  return {};
}

result<void> watch_edges(int poller, int fd, std::uint64_t data) noexcept {
  if (control(poller, EPOLL_CTL_ADD, fd, data, EPOLLIN | EPOLLET) != 0) {
    return failed("os.watch_edges", "epoll_ctl refused the descriptor", fd);
  }
  return {};
}

void unwatch(int poller, int fd) noexcept { (void)control(poller, EPOLL_CTL_DEL, fd, 0, 0); }

result<std::size_t> wait_events(int poller, std::span<epoll_event> events,
                                std::int64_t deadline_ns) noexcept {
  int count = -1;
  if (has_nanoseconds) {
    count = system_call(call::epoll, -1,
                        [&] { return wait_in_nanoseconds(poller, events, deadline_ns); });
  }
  if (!has_nanoseconds || (count < 0 && (errno == ENOSYS || errno == EPERM))) {
    count = system_call(call::epoll, -1, [&] {
      return ::epoll_wait(poller, events.data(), static_cast<int>(events.size()),
                          milliseconds_until(deadline_ns));
    });
  }
  if (count < 0 && errno != EINTR) return failed("os.wait_events", "epoll_wait refused", poller);
  return static_cast<std::size_t>(std::max(count, 0));
}

result<bool> is_ready(int fd, readiness awaited) noexcept {
  pollfd asked{.fd = fd, .events = 0, .revents = 0};
  if (awaited != readiness::writable) asked.events |= POLLIN;
  if (awaited != readiness::readable) asked.events |= POLLOUT;
  int count = -1;
  do count = system_call(call::poll, -1, [&] { return ::poll(&asked, 1, 0); });
  while (count < 0 && errno == EINTR);
  // A negative number is ignored by the kernel.
  if (count >= 0 && (fd < 0 || (asked.revents & POLLNVAL) != 0)) {
    errno = EBADF;
    count = -1;
  }
  if (count < 0) return failed("os.is_ready", "poll refused the descriptor", fd);
  return count != 0;
}

}  // namespace bast::inline BAST_ABI::os
