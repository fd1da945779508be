// SPDX-License-Identifier: Apache-2.0
#include "bast/testing/baseline.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "bast/os/directory_entry.hpp"
#include "bast/stack.hpp"
#include "bast/stack/directory.hpp"
#include "bast/testing/mappings.hpp"

namespace bast::test {
namespace {

// The allocators of these sanitizers map and unmap at any time.
constexpr bool sanitizer_maps =
    BAST_WITH_ASAN != 0 || BAST_WITH_TSAN != 0 || BAST_WITH_MSAN != 0 || BAST_WITH_VALGRIND != 0;

// Further lines would add nothing new.
constexpr std::size_t complaints_max = 2000;

/// The number of entries in a directory of /proc, without "." and "..". Uses getdents64, because
/// opendir allocates.
std::size_t entries_of(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::size_t count = 0;
  alignas(8) char buffer[4096];
  for (long size = 1; size > 0;) {
    size = ::syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    for (long at = 0; at < size;) {
      const auto entry = os::directory_entry::at(buffer + at);
      at += entry.length;
      if (*entry.name != '.') ++count;
    }
  }
  ::close(fd);
  return count;
}

void compare(std::string& out, const char* what, std::size_t before, std::size_t now) {
  if (before == now) return;
  out += std::string(what) + ": " + std::to_string(before) + " before, " + std::to_string(now) +
         " now\n";
}

std::string describe(const os::fault_plan& plan) {
  return "call " + std::to_string(plan.nth) + (plan.persistent ? " and all later" : "") +
         " failing with " + (plan.error_number == ENOMEM ? "ENOMEM" : "") +
         (plan.error_number == EINVAL ? "EINVAL" : "") + " (" + std::to_string(plan.error_number) +
         ")";
}

}  // namespace

process_counts process_counts::now() {
  (void)os::fork_mark::here();  // Its page is mapped once and stays.
  process_counts seen;
  if constexpr (!sanitizer_maps) {
    const test::mappings all = test::mappings::now();
    seen.mappings = all.count;
    // The heap grows independently; its end moves with it.
    seen.mapped_bytes = all.byte_count - reinterpret_cast<std::uintptr_t>(::sbrk(0));
  }
  seen.fds = entries_of("/proc/self/fd");
  seen.threads = entries_of("/proc/self/task");
  return seen;
}

leak_baseline::leak_baseline() {
  warm_directory();  // A later slab may be the first in its 16 GiB.
  (void)os::retry_pending_releases();
  before_ = process_counts::now();
}

std::string leak_baseline::differences() const {
  const std::size_t pending = os::retry_pending_releases();
  process_counts now = process_counts::now();
  // A joined thread stays listed until the kernel has removed it, and there is no event for that.
  for (int patience = 1000; now.threads > before_.threads && patience > 0; --patience) {
    ::usleep(1000);
    now = process_counts::now();
  }
  std::string out;
  compare(out, "unmappings pending", 0, pending);
  compare(out, "mappings", before_.mappings, now.mappings);
  if (before_.mapped_bytes != now.mapped_bytes) {
    const auto more = static_cast<std::ptrdiff_t>(now.mapped_bytes - before_.mapped_bytes);
    out += "mapped bytes: " + std::to_string(more) + " more than before\n";
  }
  compare(out, "descriptors", before_.fds, now.fds);
  // Fewer is fine: a joined thread may have been exiting when the baseline was taken.
  if (now.threads > before_.threads) compare(out, "threads", before_.threads, now.threads);
  return out;
}

void warm_directory() {
  const auto page = os::map(os::page_bytes());
  if (!page) return;
  constexpr std::ptrdiff_t leaf_reach = std::ptrdiff_t{16} << 30;
  const auto here = reinterpret_cast<std::uintptr_t>(*page);
  auto* const granule = *page - here % directory_granule;
  for (const std::ptrdiff_t step : {-leaf_reach, std::ptrdiff_t{0}, leaf_reach}) {
    const std::byte* const at = granule + step;
    if (directory_find(reinterpret_cast<std::uintptr_t>(at)) != nullptr) continue;
    if (directory_enter(at, directory_granule, nullptr)) directory_remove(at, directory_granule);
  }
  os::release(*page, os::page_bytes());
}

std::string fault_loop::summary() const {
  return std::to_string(injected) + " faults injected in " + std::to_string(runs) + " runs of " +
         std::to_string(calls) + " calls";
}

namespace {

void run_once(fault_loop& loop, void* scenario, erased_scenario call, const os::fault_plan& plan) {
  const leak_baseline before;
  injection faults(plan);
  std::string complaint = call(scenario, faults);
  faults.end();
  complaint += before.differences();
  loop.injected += faults.injected();
  if (plan.nth == 0) {
    loop.calls = faults.seen();
  } else {
    ++loop.runs;
  }
  if (complaint.empty() || loop.complaints.size() > complaints_max) return;
  loop.complaints += (plan.nth == 0 ? "nothing failing" : describe(plan)) + ": " + complaint + "\n";
}

}  // namespace

fault_loop loop_over_calls(void* scenario, erased_scenario call, std::span<const int> errnos) {
  fault_loop loop;
  {
    // Warm up: what is created once per process (handlers, directory leaves) is no leak.
    injection faults({});
    (void)call(scenario, faults);
  }
  run_once(loop, scenario, call, {});
  for (std::uint64_t nth = 1; nth <= loop.calls; ++nth) {
    for (const int error_number : errnos) {
      for (const bool persistent : {false, true}) {
        run_once(loop, scenario, call,
                 {.kind = os::call::any,
                  .nth = nth,
                  .persistent = persistent,
                  .error_number = error_number});
      }
    }
  }
  std::printf("[ faults   ] %s\n", loop.summary().c_str());
  return loop;
}

}  // namespace bast::test
