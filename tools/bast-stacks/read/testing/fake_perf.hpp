// SPDX-License-Identifier: Apache-2.0
//
// `fake_perf`: scripted perf events of a kernel: its refusals, the requests it received, and its
// writes into the rings. An event is a file in memory, which maps as a ring does.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "read/perf_ring.hpp"
#include "read/testing/faulty_calls.hpp"

namespace bast_stacks::testing {

class fake_perf {
 public:
  static constexpr std::uint64_t page = 4096;
  static constexpr std::uint64_t ring_bytes = 4 * page;

  struct event {
    perf_event_attr asked{};
    pid_t thread = 0;
    int cpu = 0;
    int fd = -1;
  };

  /// CPUs that the machine has.
  long cpus = 2;
  /// Errno of an event, or 0; called for each request.
  std::function<int(const event& wanted)> refusal;
  /// Errno of PERF_EVENT_IOC_SET_OUTPUT, or 0.
  int output_error = 0;

  std::vector<event> events;              // the accepted ones
  std::vector<std::string> said;          // the requests, in order
  std::vector<unsigned long> open_flags;  // of all requests

  /// The event of a thread on a CPU; -1 if there is none.
  int fd_of(pid_t thread, int cpu) const {
    for (const event& each : events) {
      if (each.thread == thread && each.cpu == cpu) return each.fd;
    }
    return -1;
  }

  /// Writes a ring as the kernel does: the bytes of `part`, and its counters.
  static void write_ring(int fd, const ring_part& part) {
    perf_event_mmap_page control{};
    control.data_offset = page;
    control.data_size = part.ring.size();
    control.data_head = part.head;
    control.data_tail = part.tail;
    (void)!::pwrite(fd, &control, sizeof control, 0);
    (void)!::pwrite(fd, part.ring.data(), part.ring.size(), page);
  }
  static perf_event_mmap_page control_of(int fd) {
    perf_event_mmap_page control{};
    (void)!::pread(fd, &control, sizeof control, 0);
    return control;
  }

 private:
  std::optional<long> open_event(const answered_call::arguments& given) {
    if (given[0] != SYS_perf_event_open) return std::nullopt;
    event wanted;
    std::memcpy(&wanted.asked, reinterpret_cast<const void*>(given[1]), sizeof wanted.asked);
    wanted.thread = static_cast<pid_t>(given[2]);
    wanted.cpu = static_cast<int>(given[3]);
    said.push_back(fmt::format("open {} cpu {} group {} kernel {}", wanted.thread, wanted.cpu,
                               static_cast<int>(given[4]), wanted.asked.exclude_kernel == 0));
    open_flags.push_back(static_cast<unsigned long>(given[5]));
    if (const int error = refusal ? refusal(wanted) : 0; error != 0) return -error;
    wanted.fd = ::memfd_create("perf", MFD_CLOEXEC);
    (void)!::ftruncate(wanted.fd, page + ring_bytes);
    perf_event_mmap_page control{};
    control.data_offset = page;
    control.data_size = ring_bytes;
    (void)!::pwrite(wanted.fd, &control, sizeof control, 0);
    events.push_back(wanted);
    return wanted.fd;
  }
  std::optional<long> redirect(const answered_call::arguments& given) {
    if (static_cast<unsigned long>(given[1]) != PERF_EVENT_IOC_SET_OUTPUT) return std::nullopt;
    const auto name = [&](long fd) -> std::string {
      for (const event& each : events) {
        if (each.fd == static_cast<int>(fd)) return fmt::format("{} cpu {}", each.thread, each.cpu);
      }
      return "?";
    };
    said.push_back(fmt::format("redirect {} to {}", name(given[0]), name(given[2])));
    return -output_error;
  }

  answered_call opens_{called::syscall, [this](const auto& given) { return open_event(given); }};
  answered_call redirects_{called::ioctl, [this](const auto& given) { return redirect(given); }};
  answered_call counts_{called::sysconf, [this](const auto& given) -> std::optional<long> {
                          if (given[0] != _SC_NPROCESSORS_CONF) return std::nullopt;
                          return cpus;
                        }};
};

/// The error when this process may not be watched.
inline std::string cannot_watch(const std::string& why) {
  return fmt::format("3 cannot watch the page faults of process {}: {}", ::getpid(), why);
}

}  // namespace bast_stacks::testing
