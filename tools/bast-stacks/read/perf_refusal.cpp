// SPDX-License-Identifier: Apache-2.0
#include "read/perf_refusal.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "read/source.hpp"

namespace bast_stacks {
namespace {

// Above this the kernel requires CAP_PERFMON even to watch one's own programs (Debian and Ubuntu
// have such values; 2 is the highest value of Linux itself).
constexpr int paranoid_max = 2;

struct remedy_text {
  std::string what;
  std::string remedy;
};

std::string other_way() {
  return "start the program by bast-stacks run --deepest -- PROGRAM, which needs no perf events";
}

remedy_text remedy_of_rights(const refused_perf& refused) {
  if (refused.paranoid.value_or(0) > paranoid_max) {
    return {fmt::format("kernel.perf_event_paranoid is {}: only CAP_PERFMON may watch",
                        *refused.paranoid),
            fmt::format("sudo sysctl kernel.perf_event_paranoid={}", paranoid_max)};
  }
  if (refused.error == EACCES) {
    return {"it belongs to another user, or is not dumpable, and we have no CAP_PERFMON",
            "run as the user of the process, or as root"};
  }
  return {"a seccomp filter, such as a container's, or a security module forbids it",
          "run with CAP_PERFMON (docker run --cap-add PERFMON)"};
}

remedy_text remedy_of(const refused_perf& refused) {
  switch (refused.error) {
    case EACCES: return remedy_of_rights(refused);
    case EPERM:
      if (refused.step != perf_step::map) return remedy_of_rights(refused);
      return {"the user's memory for perf events is used up",
              "ulimit -l unlimited, or run as root"};
    case ENOSYS: return {"this kernel has no perf events", other_way()};
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP: return {"this kernel cannot count page faults", other_way()};
    // The youngest of the requested bits is inherit_thread.
    case EINVAL:
    case E2BIG: return {"it takes Linux 5.13", other_way()};
    case EMFILE:
    case ENFILE:
      return {fmt::format("{} are open; every thread takes one for each CPU", refused.descriptors),
              "ulimit -n 65536, where the hard limit allows it"};
    case ENOMEM: return {"there is no memory for it", {}};
    default: return {};
  }
}

std::string_view name_of(perf_step step) {
  switch (step) {
    case perf_step::list: return "the list of its threads";
    case perf_step::open: return "perf_event_open";
    case perf_step::map: return "mmap of a perf ring";
    case perf_step::redirect: return "PERF_EVENT_IOC_SET_OUTPUT";
  }
  return {};
}

}  // namespace

problem explain(const refused_perf& refused) {
  if (refused.error == ESRCH)
    return {.what = fmt::format("process {} has ended", refused.pid), .remedy = {}};
  const remedy_text closed = remedy_of(refused);
  problem result{
      .what = fmt::format("cannot watch the page faults of process {}: {}: {}", refused.pid,
                          name_of(refused.step), std::strerror(refused.error)),
      .remedy = closed.remedy};
  if (!closed.what.empty()) result.what += fmt::format(" ({})", closed.what);
  return result;
}

std::optional<int> perf_paranoid() { return read_number("/proc/sys/kernel/perf_event_paranoid"); }

}  // namespace bast_stacks
