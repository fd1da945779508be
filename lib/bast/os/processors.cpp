// SPDX-License-Identifier: Apache-2.0
#include "bast/os/processors.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "bast/os/descriptor.hpp"
#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

constexpr std::uint64_t milli = 1000;

std::uint64_t microseconds_of(std::string_view digits) noexcept {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return failed == std::errc() && end == digits.data() + digits.size() ? value : 0;
}

// The beginning of a file, as much as `memory` holds; empty if it cannot be read.
std::string_view text_of(const char* path, std::span<char> memory) noexcept {
  const auto file = open_file(path, O_RDONLY);
  if (!file) return {};
  const auto got = internal::system_call(
      call::read, -1L, [&] { return ::read(file->get(), memory.data(), memory.size()); });
  return got > 0 ? std::string_view(memory.data(), static_cast<std::size_t>(got))
                 : std::string_view();
}

std::string_view line_of(const char* path, std::span<char> memory) noexcept {
  const std::string_view all = text_of(path, memory);
  return all.substr(0, all.find('\n'));
}

// The quota of one group: cpu.max of v2, or the two files of v1.
std::uint64_t quota_of_group(std::string_view mount, std::string_view group) noexcept {
  char path[4096];
  char memory[64];
  const auto name_file = [&](std::string_view name) {
    const std::size_t length = mount.size() + group.size() + name.size();
    if (length >= sizeof(path)) return false;
    char* at = path;
    for (const std::string_view part : {mount, group, name}) {
      at = std::ranges::copy(part, at).out;
    }
    *at = '\0';
    return true;
  };
  if (!name_file("/cpu.max")) return 0;
  if (const auto line = line_of(path, memory); !line.empty()) return quota_of_line(line);
  if (!name_file("/cpu.cfs_quota_us")) return 0;
  const std::uint64_t quota =
      microseconds_of(line_of(path, memory));  // -1: no limit, and no number
  (void)name_file("/cpu.cfs_period_us");
  const std::uint64_t period = microseconds_of(line_of(path, memory));
  return period == 0 ? 0 : quota * milli / period;
}

// The group of a line of /proc/self/cgroup, "ID:CONTROLLERS:PATH", if it is about processor time.
bool is_cpu_line(std::string_view controllers) noexcept {
  if (controllers.empty()) return true;  // v2
  while (!controllers.empty()) {
    const std::size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    controllers.remove_prefix(comma == std::string_view::npos ? controllers.size() : comma + 1);
  }
  return false;
}

}  // namespace

std::uint64_t quota_of_line(std::string_view line) noexcept {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  const std::uint64_t quota = microseconds_of(line.substr(0, space));
  const std::uint64_t period = microseconds_of(line.substr(space + 1));
  return period == 0 ? 0 : quota * milli / period;
}

std::size_t usable_processors() noexcept {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  // More processors than the mask has places: count those that are there (sched_getaffinity(2)).
  if (::sched_getaffinity(0, sizeof(mask), &mask) != 0) return 1;
  return static_cast<std::size_t>(std::max(1, CPU_COUNT(&mask)));
}

std::uint64_t processor_quota_milli() noexcept {
  char memory[4096];
  std::string_view lines = text_of("/proc/self/cgroup", memory);
  std::uint64_t least = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (!is_cpu_line(controllers)) continue;
    const std::string_view mount = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    // The group, and each one above it.
    for (std::string_view group = line.substr(second + 1);;) {
      if (group == "/") group = {};
      if (const std::uint64_t quota = quota_of_group(mount, group); quota != 0) {
        least = least == 0 ? quota : std::min(least, quota);
      }
      if (group.empty()) break;
      group = group.substr(0, group.rfind('/'));
    }
  }
  return least;
}

}  // namespace bast::inline BAST_ABI::os
