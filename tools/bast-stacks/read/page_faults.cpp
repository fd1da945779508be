// SPDX-License-Identifier: Apache-2.0
#include "read/page_faults.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "read/attach.hpp"
#include "read/modules.hpp"

namespace bast_stacks {
namespace {

code_ranges code_of(const std::vector<mapping>& mappings) {
  std::vector<extent> ranges;
  for (const mapping& each : mappings) {
    if (each.is_code) ranges.push_back(each.where);
  }
  return code_ranges(std::move(ranges));
}

}  // namespace

std::expected<page_faults, problem> page_faults::watch(pid_t pid, std::uint16_t machine) {
  auto found = attach(pid);
  if (!found) return std::unexpected(found.error());
  found_modules files = find_modules(found->mappings, *found->target, found->program, {});
  if (const auto anchor = found->anchor) files.anchors = {*anchor};
  const auto registries = find_registries(files, *found->target, fmt::format("process {}", pid));
  if (!registries) return std::unexpected(registries.error());
  auto events = fault_events::open(pid, machine);
  if (!events) return std::unexpected(events.error());
  page_faults made(pid, std::move(*events), std::move(found->target), *registries);
  made.stacks_.set_code(code_of(found->mappings));
  return made;
}

/// Libraries may be loaded at run time: unknown code is searched for, once per look.
void page_faults::find_code(std::span<const fault_sample> faults) {
  const auto is_known = [&](const fault_sample& each) { return stacks_.code().holds(each.pc); };
  if (std::ranges::all_of(faults, is_known)) return;
  const auto maps = read_proc(fmt::format("/proc/{}/maps", pid_), maps_bytes_max);
  if (maps && !maps->empty()) stacks_.set_code(code_of(parse_maps(*maps)));
}

std::expected<void, problem> page_faults::look() {
  fault_records came;
  const auto good = events_.read(came);
  if (__builtin_add_overflow(lost_, came.lost, &lost_)) lost_ = UINT64_MAX;
  const auto of_others = [&](const fault_sample& each) {
    return each.pid != static_cast<std::uint32_t>(pid_);
  };
  std::erase_if(came.faults, of_others);
  find_code(came.faults);
  stacks_.add(came.faults);
  return good;
}

void page_faults::add_to(snapshot& into) const {
  stacks_.add_to(into);
  const fault_counts& counts = stacks_.counts();
  into.not_seen.push_back(fmt::format(
      "Deepest stacks by page faults: only of stacks that were opened, or got deeper than they had "
      "been, while it was watched ({} first touches of a page, {} of them on stacks).",
      counts.seen, counts.on_stacks));
  if (counts.unsure != 0) {
    into.not_seen.push_back(fmt::format(
        "Page faults on stacks that had changed before they were read: {}; they are left out.",
        counts.unsure));
  }
  if (lost_ != 0) {
    into.not_seen.push_back(
        fmt::format("Page faults that came faster than they could be read: {}.", lost_));
  }
  if (!events_.sees_kernel()) {
    into.not_seen.push_back(
        "Pages that the kernel touched first, such as by read(2) into a buffer: "
        "that takes CAP_PERFMON, or kernel.perf_event_paranoid of 1.");
  }
}

}  // namespace bast_stacks
