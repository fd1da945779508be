// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace demo {

void memory_meter::look(std::size_t alive, bast::bytes open) {
  peak_alive_ = std::max(peak_alive_, alive);
  peak_open_ = std::max(peak_open_, open);
  if (open.count > asked_at_.count + asked_at_.count / 16) {
    asked_at_ = open;
    sample(alive, open);
  }
}

void memory_meter::sample(std::size_t alive, bast::bytes open) {
  std::vector<std::uintptr_t> places(places_.begin(), places_.end());
  std::ranges::sort(places);
  memory_sample now{.alive = alive, .open = open, .resident = {}, .page_tables = {}};

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
