// SPDX-License-Identifier: Apache-2.0
#include "read/attach.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "read/layered_memory.hpp"
#include "read/listener.hpp"
#include "read/process_memory.hpp"

namespace bast_stacks {
namespace {

std::string proc(pid_t pid, std::string_view name) { return fmt::format("/proc/{}/{}", pid, name); }

/// The value of a line of /proc/PID/status, such as "Uid:"; empty if there is none.
std::string status_line(pid_t pid, std::string_view name) {
  const auto text = read_proc(proc(pid, "status"), 64 << 10);
  if (!text) return {};
  const std::size_t at = text->find(fmt::format("\n{}:\t", name));
  if (at == std::string::npos) return {};
  const std::size_t start = at + name.size() + 3;
  return text->substr(start, text->find('\n', start) - start);
}

refused_access examine_refusal(pid_t pid, int error, std::string attempted) {
  refused_access refusal;
  refusal.pid = pid;
  refusal.error = error;
  refusal.attempted = std::move(attempted);
  refusal.scope = read_number("/proc/sys/kernel/yama/ptrace_scope");
  refusal.ours = ::geteuid();
  const std::string line = status_line(pid, "Uid");
  uid_t owner = 0;
  if (std::from_chars(line.data(), line.data() + line.size(), owner).ec == std::errc{})
    refusal.owner = owner;
  // The files of a process that is not dumpable belong to root.
  struct stat status{};
  if (refusal.owner && *refusal.owner != 0 && ::stat(proc(pid, "").c_str(), &status) == 0)
    refusal.dumpable = status.st_uid == *refusal.owner;
  return refusal;
}

std::string read_program(pid_t pid) {
  char path[4096];
  const ssize_t bytes = ::readlink(proc(pid, "exe").c_str(), path, sizeof path);
  return bytes > 0 ? std::string(path, static_cast<std::size_t>(bytes)) : std::string();
}

problem no_memory_of_its_own(pid_t pid) {
  const std::string state = status_line(pid, "State");
  if (state.starts_with('Z') || state.starts_with('X')) {
    return {.what = fmt::format("process {} has ended; its parent has not waited for it", pid),
            .remedy = {}};
  }
  return {.what = fmt::format("process {} has no memory of its own: it is part of the kernel", pid),
          .remedy = {}};
}

/// Uses the process's socket. If only Yama refused, its memory can be read from then on; else the
/// memory_image is all there is.
std::expected<attached, problem> attach_by_socket(pid_t pid, const refused_access& refusal,
                                                  attached found) {
  auto received = ask_listener(pid);
  if (!received) {
    refused_access all = refusal;
    all.socket = received.error().what;
    return std::unexpected(explain(all));
  }
  found.anchor = received->anchor;
  auto live = std::make_unique<process_memory>(pid);
  if (live->try_read(received->anchor) == 0) {
    found.target = std::move(live);
    return found;
  }
  // No layer behind it: otherwise stacks missing in the image would count as unused.
  found.target = std::make_unique<layered_memory>(std::move(received->memory), nullptr,
                                                  layered_memory::layer::back);
  found.not_seen.push_back(
      fmt::format("The depth of live stacks: the registry of process {} came through its socket, "
                  "but its memory may not be read.",
                  pid));
  return found;
}

}  // namespace

problem explain(const refused_access& refusal) {
  problem result{.what = fmt::format("cannot read process {}: {}: {}", refusal.pid,
                                     refusal.attempted, std::strerror(refusal.error)),
                 .remedy = {}};
  // Not a refusal: the inspector is out of descriptors.
  if (refusal.error == EMFILE || refusal.error == ENFILE) {
    result.remedy = "ulimit -n 65536, where the hard limit allows it";
    return result;
  }
  if (!refusal.socket.empty()) result.what += fmt::format("; {}", refusal.socket);
  if (refusal.owner && refusal.ours != 0 && *refusal.owner != refusal.ours) {
    result.what +=
        fmt::format(" (it belongs to user {}, we are user {})", *refusal.owner, refusal.ours);
    result.remedy = fmt::format("sudo -u '#{}' bast-stacks ...", *refusal.owner);
  } else if (!refusal.dumpable) {
    result.what += " (it is not dumpable: it changed its user, or asked for it)";
    result.remedy = "run as root, or call prctl(PR_SET_DUMPABLE, 1) in the program";
  } else if (refusal.scope.value_or(0) == 1) {
    result.what += " (kernel.yama.ptrace_scope is 1: only descendants may be read)";
    result.remedy =
        "sudo sysctl kernel.yama.ptrace_scope=0, or call bast::watch::listener::create() in the "
        "program, or "
        "start it by bast-stacks run -- PROGRAM";
  } else if (refusal.scope.value_or(0) == 2) {
    result.what += " (kernel.yama.ptrace_scope is 2: only root may read processes)";
    result.remedy = "run as root, or start the program by bast-stacks run -- PROGRAM";
  } else if (refusal.scope.value_or(0) >= 3) {
    result.what += " (kernel.yama.ptrace_scope is 3: no process may be read until a reboot)";
    result.remedy = "start the program by bast-stacks run -- PROGRAM";
  } else {
    result.what += " (a security module, a seccomp filter or a user namespace forbids it)";
    result.remedy =
        "run with CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), or start the program by "
        "bast-stacks run -- PROGRAM";
  }
  return result;
}

std::expected<attached, problem> attach(pid_t pid) {
  const auto exists = [pid] { return pid > 0 && (::kill(pid, 0) == 0 || errno != ESRCH); };
  const auto ended = [pid] {
    return std::unexpected(problem{.what = fmt::format("process {} has ended", pid), .remedy = {}});
  };
  if (!exists()) {
    return std::unexpected(
        problem{.what = fmt::format("there is no process {}", pid), .remedy = {}});
  }
  attached found;
  const auto maps = read_proc(proc(pid, "maps"), maps_bytes_max);
  if (!maps) {
    // A /proc that hides the processes of others also fails with ENOENT.
    if (maps.error() == ESRCH || !exists()) return ended();
    return attach_by_socket(pid, examine_refusal(pid, maps.error(), proc(pid, "maps")),
                            std::move(found));
  }
  if (maps->empty()) return std::unexpected(no_memory_of_its_own(pid));
  found.program = read_program(pid);
  found.mappings = parse_maps(*maps);
  if (found.mappings.empty()) {
    return std::unexpected(
        problem{.what = fmt::format("no file is mapped into process {}, not even its program", pid),
                .remedy = {}});
  }
  auto live = std::make_unique<process_memory>(pid);
  const int error = live->try_read(found.mappings.front().where.low);
  if (error == ESRCH) return ended();
  if (error == EPERM || error == EACCES || error == ENOSYS)
    return attach_by_socket(pid, examine_refusal(pid, error, "process_vm_readv"), std::move(found));
  found.target = std::move(live);
  return found;
}

}  // namespace bast_stacks
