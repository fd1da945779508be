// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "model/clean_text.hpp"
#include "read/attach.hpp"
#include "read/clock.hpp"
#include "read/collect.hpp"
#include "read/modules.hpp"
#include "read/open.hpp"
#include "read/process_files.hpp"
#include "read/process_memory.hpp"
#include "read/source.hpp"

namespace bast_stacks {
namespace {

/// The existing processes that a thread of `pid` started.
std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> all;
  std::error_code ignored;
  for (const auto& thread :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), ignored)) {
    const auto text = read_proc(thread.path() / "children", 1 << 20);
    if (!text) continue;
    std::istringstream numbers(*text);
    for (pid_t child = 0; numbers >> child;) all.push_back(child);
  }
  std::ranges::sort(all);
  return all;
}

/// A forked child has its own registry, at the address of its parent's.
void tell_of_children(pid_t pid, const std::vector<std::uint64_t>& registries, snapshot& seen) {
  constexpr std::size_t shown_most = 5;
  std::vector<pid_t> found;
  for (const pid_t child : children_of(pid)) {
    process_memory memory(child);
    const auto is_its = [&](std::uint64_t address) {
      bast::watch::header head{};
      return memory.read(address, head) && head.magic == bast::watch::magic &&
             head.pid == static_cast<std::uint64_t>(child);
    };
    if (std::ranges::any_of(registries, is_its)) found.push_back(child);
  }
  if (found.empty()) return;
  const std::size_t shown = std::min(found.size(), shown_most);
  std::string numbers = fmt::format(
      "{}", fmt::join(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < found.size()) numbers += fmt::format(" and {} more", found.size() - shown);
  seen.not_seen.push_back(
      fmt::format("What its forked children do: process {}; look at each by its number.", numbers));
}

}  // namespace

std::expected<snapshot, problem> open_process(pid_t pid, const open_options& options) {
  const std::uint64_t begin = now_ns(CLOCK_MONOTONIC);
  auto found = attach(pid);
  if (!found) return std::unexpected(found.error());
  const std::string who = fmt::format("process {}", pid);

  snapshot seen;
  seen.from = source_kind::live;
  seen.what = who;
  seen.pid = static_cast<std::uint64_t>(pid);
  seen.program = clean_text(found->program);
  seen.not_seen = std::move(found->not_seen);
  found_modules files = find_modules(found->mappings, *found->target, found->program, {});
  if (found->mappings.empty())
    seen.not_seen.emplace_back("Which files the program is made of: frames have no names.");
  if (const auto anchor = found->anchor) files.anchors = {*anchor};
  if (const auto& why = found->target->broken()) return std::unexpected(*why);
  const auto registries = find_registries(files, *found->target, who);
  if (!registries) return std::unexpected(registries.error());
  seen.modules = std::move(files.modules);
  find_files_here(pid, seen.modules);

  const collect_options how{
      .live_stacks = options.live_stacks, .now_ns = begin, .boot_ns = now_ns(CLOCK_BOOTTIME)};
  if (auto good = collect(*found->target, *registries, how, seen); !good)
    return std::unexpected(good.error());
  if (options.children) tell_of_children(pid, *registries, seen);
  seen.overhead_ns = now_ns(CLOCK_MONOTONIC) - begin;
  return seen;
}

}  // namespace bast_stacks
