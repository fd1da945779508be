// SPDX-License-Identifier: Apache-2.0
#include "model/command_child.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace bast::model {

child_report follow(const internal::spawned& child) {
  child_report told;
  static char buffer[1 << 16];
  for (;;) {
    pollfd readable{.fd = child.stdout_pipe.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&readable, 1, -1);
    const ssize_t size = ::read(child.stdout_pipe.get(), buffer, sizeof buffer);
    if (size > 0) told.output.append(buffer, static_cast<std::size_t>(size));
    const bool again = size < 0 && (errno == EINTR || errno == EAGAIN);
    if (size <= 0 && !again) break;
  }
  siginfo_t ended{};
  int status = 0;
  do {
    status = ::waitid(P_PIDFD, static_cast<id_t>(child.process.pidfd.get()), &ended, WEXITED);
  } while (status != 0 && errno == EINTR);
  told.ended_well = status == 0 && ended.si_code == CLD_EXITED && ended.si_status == 0;
  return told;
}

}  // namespace bast::model
