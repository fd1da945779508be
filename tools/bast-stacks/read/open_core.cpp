// SPDX-License-Identifier: Apache-2.0
#include "read/open_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "model/clean_text.hpp"
#include "read/clock.hpp"
#include "read/collect.hpp"
#include "read/core_file.hpp"
#include "read/elf_image.hpp"
#include "read/layered_memory.hpp"
#include "read/mapped_files.hpp"
#include "read/modules.hpp"

namespace bast_stacks {
namespace {

/// Marks the stacks that the core's threads were on; for the thread that died, also the one that it
/// could not write to: the report of an overflow runs on the signal stack.
void place_threads(const core_file& core, const std::vector<extent>& slots, snapshot& into) {
  std::map<std::uint64_t, std::size_t> by_end;
  for (std::size_t i = 0; i < slots.size(); ++i) by_end.emplace(slots[i].high, i);
  const auto find = [&](std::uint64_t address) -> live_stack* {
    const auto found = by_end.upper_bound(address);
    if (found == by_end.end() || !slots[found->second].holds(address)) return nullptr;
    return &into.stacks[found->second];
  };
  for (const core_thread& thread : core.threads) {
    live_stack* const stack = find(thread.sp);
    if (stack == nullptr) continue;
    stack->sp = thread.sp;
    stack->pc = thread.pc;
    stack->fp = thread.fp;
    if (&thread == core.threads.data()) stack->crashed = true;
  }
  live_stack* const faulted = find(core.fault_address);
  if (faulted != nullptr) faulted->crashed = true;
}

/// Whether `program` is the file that the core's process ran.
std::expected<void, problem> check_program(const std::string& program, const found_modules& files,
                                           memory& target, snapshot& into) {
  const auto file = file_source::open(program);
  if (!file) return std::unexpected(file.error());
  const auto image = read_elf_image({.mapped = nullptr, .file = file->get(), .base = 0});
  if (!image) return std::unexpected(problem{2, clean_text(program) + " is not a program", {}});
  const auto found = std::ranges::find(files.modules, program, &module::here);
  if (found == files.modules.end()) {
    into.not_seen.push_back(clean_text(program) +
                            " was not read: the core does not show which file its program was.");
    return {};
  }
  std::byte first{};
  if (!target.read(found->low, first)) {
    into.not_seen.push_back("Whether " + clean_text(program) +
                            " is what ran: the core does not hold the program's first page.");
  }
  if (found->build_id != image->build_id) {
    const auto id = [](const std::string& text) { return text.empty() ? "none" : text; };
    return std::unexpected(
        problem{3,
                fmt::format("{} is not what ran: its build id is {}, that of "
                            "the core's program {}",
                            clean_text(program), id(image->build_id), id(found->build_id)),
                "give the file that ran"});
  }
  return {};
}

}  // namespace

std::expected<snapshot, problem> open_core_source(std::shared_ptr<const source> bytes,
                                                  std::string_view name,
                                                  const open_options& options) {
  const std::uint64_t begin = now_ns(CLOCK_MONOTONIC);
  auto core = parse_core(std::move(bytes));
  if (!core) {
    core.error().what = fmt::format("cannot read {} as a core: {}", name, core.error().what);
    return std::unexpected(core.error());
  }
  snapshot seen;
  seen.from = source_kind::core;
  seen.what = name;
  seen.pid = core->pid;
  const std::string recorded = core->program();
  seen.program = options.program.empty() ? recorded : options.program;
  if (seen.program.empty()) seen.program = core->process_name;
  seen.program = clean_text(seen.program);
  if (core->truncated)
    seen.not_seen.emplace_back("The core is cut short: what lay behind its end is missing.");
  found_modules files = find_modules(core->mappings, *core->memory, recorded, options.program);
  if (!options.program.empty()) {
    if (auto right = check_program(options.program, files, *core->memory, seen); !right)
      return std::unexpected(std::move(right.error()));
  }
  auto mapped = std::make_unique<mapped_files>(core->mappings, files.modules);
  layered_memory target(std::move(core->memory), std::move(mapped), layered_memory::layer::front);
  const auto registries = find_registries(files, target, name);
  if (!registries && core->truncated) {
    return std::unexpected(problem{
        .what = fmt::format("{} is cut short: what it takes to read it is behind its end", name),
        .remedy = "ulimit -c unlimited, and room on the disk, before the program runs"});
  }
  if (!registries) return std::unexpected(registries.error());
  seen.modules = std::move(files.modules);
  std::vector<extent> slots;
  const collect_options how{.live_stacks = options.live_stacks};
  if (auto good = collect(target, *registries, how, seen, &slots); !good)
    return std::unexpected(good.error());
  place_threads(*core, slots, seen);
  seen.overhead_ns = now_ns(CLOCK_MONOTONIC) - begin;
  return seen;
}

std::expected<snapshot, problem> open_core(const std::string& path, const open_options& options) {
  auto file = file_source::open(path);
  if (!file) return std::unexpected(file.error());
  return open_core_source(std::move(*file), clean_text(path), options);
}

}  // namespace bast_stacks
