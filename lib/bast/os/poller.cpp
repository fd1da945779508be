// SPDX-License-Identifier: Apache-2.0
#include "bast/os/poller.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
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

int control(int poller, int operation, int fd, std::uint64_t data, readiness awaited) noexcept {
  const std::uint32_t events = awaited == readiness::readable ? EPOLLIN : EPOLLOUT;
  epoll_event event{.events = events | EPOLLONESHOT, .data = {.u64 = data}};
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
  int status = control(poller, EPOLL_CTL_MOD, fd, data, awaited);
  if (status != 0 && errno == ENOENT) status = control(poller, EPOLL_CTL_ADD, fd, data, awaited);
  if (status != 0) return failed("os.watch_once", "epoll_ctl refused the descriptor", fd);
  return {};
}

void unwatch(int poller, int fd) noexcept {
  (void)control(poller, EPOLL_CTL_DEL, fd, 0, readiness::readable);
}

result<std::size_t> wait_events(int poller, std::span<epoll_event> events,
                                std::int64_t deadline_ns) noexcept {
  const int count = system_call(call::epoll, -1, [&] {
    return ::epoll_wait(poller, events.data(), static_cast<int>(events.size()),
                        milliseconds_until(deadline_ns));
  });
  if (count < 0 && errno != EINTR) return failed("os.wait_events", "epoll_wait refused", poller);
  return static_cast<std::size_t>(std::max(count, 0));
}

}  // namespace bast::inline BAST_ABI::os
