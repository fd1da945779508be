// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <algorithm>
#include <bast/stack.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace demo {

meters::running::running(meters& of, const char* name, const std::source_location& where)
    : of_(of) {
  of_.with_stack.add();
  of_.stacks.attend(name, where);
  const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const std::lock_guard held(of_.lock_);
  of_.places_.insert(frame / granule);
}

meters::running::~running() {
  // The stack is as large as it has become.
  of_.open_bytes.raise(bast::process_stack_budget().open().count);
  of_.with_stack.remove();
  of_.fibers.remove();
}

void meters::sample() {
  const std::size_t open = bast::process_stack_budget().open().count;
  if (open <= sampled_at_ + sampled_at_ / 16) return;
  sampled_at_ = open;
  std::vector<std::uintptr_t> places;
  {
    const std::lock_guard held(lock_);
    places.assign(places_.begin(), places_.end());
  }
  std::ranges::sort(places);
  memory_sample now;

  std::ifstream smaps("/proc/self/smaps");
  bool holds_stacks = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t low = 0;
    std::uintptr_t high = 0;
    std::size_t kib = 0;
    // A mapping starts with its addresses, "7f12-7f34 rw-p ...", followed by its numbers, such as
    // "Rss: 12 kB".
    if (std::sscanf(line.c_str(), "%lx-%lx ", &low, &high) == 2) {
      ++now.mappings;
      const auto place = std::ranges::lower_bound(places, low / granule);
      holds_stacks = place != places.end() && *place * granule < high;
    } else if (holds_stacks && std::sscanf(line.c_str(), "Rss: %zu kB", &kib) == 1) {
      now.resident.count += kib << 10;
    }
  }
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::size_t kib = 0;
    if (std::sscanf(line.c_str(), "VmPTE: %zu kB", &kib) == 1) now.page_tables = {kib << 10};
  }
  if (now.resident >= peak_.resident) peak_ = now;
}

}  // namespace demo
