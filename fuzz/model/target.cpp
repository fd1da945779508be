// SPDX-License-Identifier: Apache-2.0
#include "model/target.hpp"

#include <malloc.h>

#include <cstdlib>

#include "bast/testing/baseline.hpp"
#include "model/cancel_language.hpp"
#include "model/choice_language.hpp"
#include "model/combined_language.hpp"
#include "model/command_language.hpp"
#include "model/growth_language.hpp"
#include "model/pool_language.hpp"
#include "model/process_language.hpp"
#include "model/sched_language.hpp"
#include "model/scope_language.hpp"
#include "model/timers_language.hpp"

namespace bast::model {

namespace {

const target all[] = {
    {.name = "pool", .words = pool_language, .run = run_pool},
    {.name = "growth", .words = growth_language, .run = run_growth},
    {.name = "cancel_order", .words = cancel_language, .run = run_cancel_order},
    {.name = "process_driver", .words = process_language, .run = run_process_driver},
    {.name = "command_argv_env", .words = command_language, .run = run_command_argv_env},
    {.name = "sched", .words = sched_language, .run = run_sched},
    {.name = "scope", .words = scope_language, .run = run_scope_program},
    {.name = "timers", .words = timers_language, .run = run_timers},
    {.name = "choice", .words = choice_language, .run = run_choice},
    {.name = "combined", .words = combined_language, .run = run_combined},
    {.name = "canary", .words = pool_language, .run = run_canary},
};

}  // namespace

std::span<const target> targets() { return all; }

const target* find_target(std::string_view name) {
  for (const target& t : all) {
    if (name == t.name) return &t;
  }
  return nullptr;
}

void warm_up() {
  // The heap of brk(2) grows once and stays: under qemu its end and its mapping differ by some
  // pages.
  ::mallopt(M_TOP_PAD, 8 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  std::free(std::malloc(100 << 10));
  test::warm_directory();
  const auto one = [](auto kind, std::uint16_t value) {
    return op{.kind = static_cast<std::uint8_t>(kind), .who = 0, .value = value};
  };
  constexpr std::uint16_t throwing = 4;  // A script without yields.
  (void)run_pool(
      {.ops = {one(pool_op::acquire, 0), one(pool_op::elsewhere, 0), one(pool_op::start, throwing),
               one(pool_op::take, 0), one(pool_op::make, 0), one(pool_op::make, 0xffff)}},
      {});
  (void)run_growth({.ops = {one(growth_op::spawn, 0), one(growth_op::read, 1),
                            one(growth_op::throw_through, 1), one(growth_op::hop, 1)}},
                   {});
  (void)run_command_argv_env({.ops = {one(command_op::program, 0), one(command_op::start, 0)}}, {});
}

std::string describe_pool(coro_pool& pool) {
  const coro_pool_stats seen = pool.stats();
  std::string out = "pool";
  for (const std::uint64_t count :
       {std::uint64_t{seen.created}, std::uint64_t{seen.free}, std::uint64_t{seen.ready},
        std::uint64_t{seen.suspended}, std::uint64_t{seen.finished}, std::uint64_t{seen.retired},
        std::uint64_t{seen.max}, seen.swallowed_unwinds, seen.abandoned, seen.unhandled,
        std::uint64_t{seen.stacks.slots_opened}, std::uint64_t{seen.stacks.idle},
        std::uint64_t{seen.stacks.live}, std::uint64_t{seen.stacks.quarantined},
        std::uint64_t{seen.stacks.slabs}, std::uint64_t{seen.stacks.open.count},
        std::uint64_t{seen.stacks.reserved.count}, std::uint64_t{seen.stacks.stacks_guard_markers},
        std::uint64_t{seen.stacks.stacks_protection}}) {
    out += " " + std::to_string(count);
  }
  pool.for_each_site([&](const site_stats& site) {
    out += "; site";
    // Depths depend on which bytes are zero, and some bytes are of addresses.
    for (const std::uint64_t count : {site.uses, site.samples, site.grows}) {
      out += " " + std::to_string(count);
    }
  });
  return out;
}

std::string at_operation(std::size_t at, const op& o, const language& words,
                         std::string_view what) {
  return "operation " + std::to_string(at) + " (" + words.words[o.kind].name +
         "): " + std::string(what);
}

}  // namespace bast::model
