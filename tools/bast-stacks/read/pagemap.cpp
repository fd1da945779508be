// SPDX-License-Identifier: Apache-2.0
//
// The present pages of a process, without touching any.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "model/mutant.hpp"
#include "read/process_memory.hpp"

namespace bast_stacks {
namespace {

// linux/fs.h of Linux 6.7; the headers of Debian 12 are older.
struct page_region {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t categories;
};
struct pm_scan_arg {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t walk_end;
  std::uint64_t vec;
  std::uint64_t vec_len;
  std::uint64_t max_pages;
  std::uint64_t category_inverted;
  std::uint64_t category_mask;
  std::uint64_t category_anyof_mask;
  std::uint64_t return_mask;
};
static_assert(sizeof(pm_scan_arg) == 96);
constexpr unsigned long pagemap_scan = _IOWR('f', 16, pm_scan_arg);
constexpr std::uint64_t page_is_present = 1 << 3;
constexpr std::uint64_t page_is_swapped = 1 << 4;
constexpr std::uint64_t page_is_pfnzero = 1 << 5;

// Documentation/admin-guide/mm/pagemap.rst.
constexpr std::uint64_t entry_swapped = std::uint64_t{1} << 62;
constexpr std::uint64_t entry_present = std::uint64_t{1} << 63;

void append(std::vector<resident_extent>& found, std::size_t first, extent where, bool swapped) {
  if (found.size() > first && found.back().where.high == where.low &&
      found.back().swapped == swapped) {
    found.back().where.high = where.high;
  } else {
    found.push_back({.where = where, .swapped = swapped});
  }
}

extent whole_pages(extent where) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {.low = where.low & ~(page - 1), .high = (where.high + page - 1) & ~(page - 1)};
}

/// Cuts the entries from `first` on to `where`, which need not be whole pages.
void cut(std::vector<resident_extent>& found, std::size_t first, extent where) {
  for (std::size_t i = first; i < found.size(); ++i) {
    found[i].where.low = std::max(found[i].where.low, where.low);
    found[i].where.high = std::min(found[i].where.high, where.high);
  }
}

}  // namespace

bool scan_pagemap(int pagemap, extent where, std::vector<resident_extent>& found) {
  page_region regions[2048];
  const extent pages = whole_pages(where);
  const std::size_t first = found.size();
  pm_scan_arg scan{};
  scan.size = sizeof scan;
  scan.end = pages.high;
  scan.vec = reinterpret_cast<std::uint64_t>(regions);
  scan.vec_len = std::size(regions);
  scan.category_anyof_mask = page_is_present | page_is_swapped;
  scan.return_mask = page_is_present | page_is_swapped | page_is_pfnzero;
  for (std::uint64_t from = pages.low; from < pages.high; from = scan.walk_end) {
    scan.start = from;
    const int count = ::ioctl(pagemap, pagemap_scan, &scan);
    if (count < 0 && errno == EINTR) {
      scan.walk_end = from;
      continue;
    }
    if (count < 0) {
      found.resize(first);
      return read_pagemap(pagemap, where, found);
    }
    // Linux leaves walk_end at the last flush of its internal buffer of 512 regions, although it
    // went further: skip the reported regions.
    if (count > 0)
      scan.walk_end = std::max(scan.walk_end, regions[static_cast<std::size_t>(count) - 1].end);
    for (const page_region& region : std::span(regions).first(static_cast<std::size_t>(count))) {
      // A page that was only read, never written.
      const bool only_read = (region.categories & page_is_pfnzero) != 0;
      if (only_read && !BAST_STACKS_MUTANT(page_of_zeros_counts)) continue;
      append(found, first, {.low = region.start, .high = region.end},
             (region.categories & page_is_present) == 0);
    }
    if (scan.walk_end <= from) break;  // The kernel guarantees progress; without it this loops.
  }
  cut(found, first, where);
  return true;
}

bool read_pagemap(int pagemap, extent where, std::vector<resident_extent>& found) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const extent pages = whole_pages(where);
  const std::size_t first = found.size();
  std::uint64_t entries[4096];
  for (std::uint64_t from = pages.low; from < pages.high;) {
    const std::size_t wanted = std::min(std::size(entries), (pages.high - from) / page);
    const ssize_t bytes = ::pread(pagemap, entries, wanted * sizeof entries[0],
                                  static_cast<off_t>(from / page * sizeof entries[0]));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return false;
    const auto count = static_cast<std::size_t>(bytes) / sizeof entries[0];
    for (std::size_t i = 0; i < count; ++i, from += page) {
      if ((entries[i] & (entry_present | entry_swapped)) == 0) continue;
      append(found, first, {.low = from, .high = from + page}, (entries[i] & entry_present) == 0);
    }
    if (count < wanted) break;
  }
  cut(found, first, where);
  return true;
}

}  // namespace bast_stacks
