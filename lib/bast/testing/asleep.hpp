// SPDX-License-Identifier: Apache-2.0
//
// Waits until another thread sleeps in the kernel: what a test asks before it wakes that thread, so
// that the wait was one. The kernel's own word for it, so no test has to sleep and hope.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace bast::test {

/// True while the thread `id` (gettid) of this process is in an interruptible sleep.
inline bool is_asleep(std::uint32_t id) {
  const std::string path = "/proc/self/task/" + std::to_string(id) + "/stat";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char line[512];
  const ssize_t size = ::read(fd, line, sizeof line);
  ::close(fd);
  if (size <= 0) return false;
  // "id (name) S ..."; the name may hold anything, a parenthesis too.
  const std::string_view told(line, static_cast<std::size_t>(size));
  const std::size_t end = told.rfind(") ");
  return end != std::string_view::npos && told.substr(end + 2).starts_with('S');
}

/// Returns when it is. A thread that never sleeps hangs the test, which has a time limit.
inline void wait_until_asleep(std::uint32_t id) {
  while (!is_asleep(id)) ::sched_yield();
}

}  // namespace bast::test
