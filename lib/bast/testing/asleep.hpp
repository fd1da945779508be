// SPDX-License-Identifier: Apache-2.0
//
// Waits until another thread sleeps in the kernel, so that a test wakes a thread that really waits.
// Uses the kernel's report, so no test has to sleep and hope.
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
  // "id (name) S ..."; the name may contain anything, including parentheses.
  const std::string_view told(line, static_cast<std::size_t>(size));
  const std::size_t end = told.rfind(") ");
  return end != std::string_view::npos && told.substr(end + 2).starts_with('S');
}

/// Returns when thread `id` sleeps. A thread that never sleeps hangs the test, which has a time
/// limit.
inline void wait_until_asleep(std::uint32_t id) {
  while (!is_asleep(id)) ::sched_yield();
}

}  // namespace bast::test
