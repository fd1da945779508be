// SPDX-License-Identifier: Apache-2.0
#include "bast/os/process_group.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

#include "bast/os/descriptor.hpp"
#include "bast/os/directory_entry.hpp"
#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/os/pipe.hpp"
#include "bast/os/process.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::failed;
using internal::system_call;

/// The number that makes up the whole name, or 0.
pid_t number_of(std::string_view name) noexcept {
  pid_t number = 0;
  const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
  return wrong == std::errc() && end == name.data() + name.size() ? number : 0;
}

/// /proc, if it lists this process under its own number.
result<descriptor> open_proc() noexcept {
  auto proc = open_file("/proc", O_RDONLY | O_DIRECTORY);
  if (!proc) return proc;
  char self[16];
  const ssize_t size = ::readlinkat(proc->get(), "self", self, sizeof self);
  if (size > 0 && number_of({self, static_cast<std::size_t>(size)}) == ::getpid()) return proc;
  return fail(errc::unsupported, "os.process_group", "/proc is another namespace's");
}

/// False for a process that is gone, or a zombie, which stays in its group until it is reaped. If
/// the state cannot be read, it may be alive.
bool is_alive(int proc, pid_t pid) noexcept {
  text path;
  path << pid << "/stat";
  const descriptor file(above_standard(system_call(
      call::open, -1, [&] { return ::openat(proc, path.c_str(), O_RDONLY | O_CLOEXEC); })));
  if (!file) return errno != ENOENT && errno != ESRCH;
  char line[256];
  const auto size = read_some(file.get(), std::as_writable_bytes(std::span(line)));
  if (!size) return size.error().error_number() != ESRCH;
  // "12 (name) Z ...": the name may hold anything, and has 16 bytes at most.
  const std::string_view all(line, *size);
  const std::size_t name_end = all.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= all.size()) return false;
  const char state = all[name_end + 2];
  return state != 'Z' && state != 'X';
}

/// Calls `f(pid)` for each process of `group` except its leader, until `f` returns false.
template <class F>
result<void> for_each_member(int proc, pid_t group, F f) noexcept {
  alignas(8) char buffer[2048];
  for (;;) {
    const long size = system_call(
        call::read, -1L, [&] { return ::syscall(SYS_getdents64, proc, buffer, sizeof buffer); });
    if (size < 0) return failed("os.process_group", "getdents64 refused");
    if (size == 0) return {};
    for (long at = 0; at < size;) {
      const auto entry = directory_entry::at(buffer + at);
      at += entry.length;
      const pid_t pid = number_of(entry.name);
      if (pid <= 0 || pid == group || ::getpgid(pid) != group) continue;
      if (!f(pid)) return {};
    }
  }
}

}  // namespace

result<bool> group_has_members(pid_t group) noexcept {
  const auto proc = open_proc();
  if (!proc) return std::unexpected(proc.error());
  bool found = false;
  const auto looked = for_each_member(proc->get(), group, [&](pid_t pid) noexcept {
    found = is_alive(proc->get(), pid);
    return !found;
  });
  if (!looked) return std::unexpected(looked.error());
  return found;
}

bool adopts_orphans() noexcept {
  int is_subreaper = 0;
  return ::getpid() == 1 ||
         (::prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper, 0, 0, 0) == 0 && is_subreaper != 0);
}

void reap_orphans(pid_t group) noexcept {
  const auto proc = open_proc();
  if (!proc) return;
  (void)for_each_member(proc->get(), group, [group](pid_t pid) noexcept {
    const auto pidfd = open_pidfd(pid);
    // The descriptor is fixed; the group is checked again, because the number may have been reused.
    if (pidfd && ::getpgid(pid) == group) (void)wait_process(pidfd->get(), WEXITED | WNOHANG);
    return true;
  });
}

}  // namespace bast::inline BAST_ABI::os
