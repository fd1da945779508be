// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/clean_text.hpp"
#include "read/attach.hpp"
#include "read/clock.hpp"
#include "read/collect.hpp"
#include "read/modules.hpp"
#include "read/open.hpp"
#include "read/process_files.hpp"

namespace bast_stacks {
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
  seen.overhead_ns = now_ns(CLOCK_MONOTONIC) - begin;
  return seen;
}

}  // namespace bast_stacks
