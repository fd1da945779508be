// SPDX-License-Identifier: Apache-2.0
#include "read/collect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "model/clean_text.hpp"
#include "model/statistics.hpp"
#include "read/block_reader.hpp"
#include "read/depths.hpp"
#include "read/registry.hpp"
#include "read/site_index.hpp"
#include "read/site_reader.hpp"
#include "read/slot_reader.hpp"

namespace bast_stacks {
namespace {

template <std::size_t Size>
std::string text_of(const char (&raw)[Size]) {
  return clean_field(std::string_view(raw, Size));
}

/// Adds "Sites that could not be read: 3.", and the consequence.
void say(snapshot& into, std::uint64_t number, std::string_view what,
         std::string_view meaning = {}) {
  if (number == 0) return;
  into.not_seen.push_back(
      fmt::format("{}: {}{}{}.", what, number, meaning.empty() ? "" : "; ", meaning));
}

/// Joins the headers of several registries of one process where they differ.
void take_header(const bast::watch::header& header, const collect_options& options,
                 snapshot& into) {
  const auto join = [](std::string& all, const std::string& more) {
    if (all.empty()) {
      all = more;
    } else if (all.find(more) == std::string::npos) {
      all += ", " + more;
    }
  };
  join(into.library, text_of(header.library));
  join(into.compiler, text_of(header.compiler));
  if (into.pid == 0) into.pid = header.pid;
  into.machine = header.machine;
  into.page_bytes = header.page_bytes;
  into.built |= header.built;
  into.modes |= header.modes;
  if (options.boot_ns > header.started_ns && header.started_ns != 0)
    into.runtime_ns = std::max(into.runtime_ns, options.boot_ns - header.started_ns);
}

class collector {
 public:
  collector(memory& target, const collect_options& options, snapshot& into,
            std::vector<extent>* slots)
      : target_(target), options_(options), into_(into), slots_(slots), book_(into) {}

  void add(const registry& all) {
    take_header(all.header, options_, into_);
    book_.next_registry();
    const std::size_t first_pool = into_.pools.size();
    const std::size_t first_stack = into_.stacks.size();
    add_pools(all);
    add_sites(all, first_pool);
    std::vector<slot_place> places;
    const slot_losses lost = read_slots(target_, all, first_pool, into_, book_, places);
    book_.raise_held();
    tell(all, lost);
    const auto stacks = std::span(into_.stacks).subspan(first_stack);
    say(into_, read_blocks(target_, all, stacks, places), "Control blocks that could not be read",
        "where their coroutines are suspended is not known");
    read_names(target_, stacks, places);
    if (options_.live_stacks) scan(all.header.slots, stacks, places);
    if (slots_ == nullptr) return;
    for (const slot_place& place : places) slots_->push_back(place.slot);
  }

 private:
  void add_pools(const registry& all) {
    // Each registry counts its pools from 1.
    std::uint64_t before = 0;
    for (const pool& each : into_.pools) before = std::max(before, each.id);
    for (const auto& [index, entry] : all.pools) {
      into_.pools.push_back({.id = before + entry.id,
                             .owner_thread = entry.owner_thread,
                             .where = text_of(entry.where),
                             .limit = entry.limit,
                             .guard = entry.guard,
                             .window = entry.window,
                             .retain = entry.retain,
                             .budget = entry.budget,
                             .scrub = entry.scrub,
                             .growth = entry.growth,
                             .measured = entry.measured != 0,
                             .gone = is_gone(entry) ? entry.gone : 0,
                             .stacks = is_gone(entry) ? entry.stacks_max : 0});
    }
    say(into_, all.unread, "Records of pools and their memory that could not be read");
    say(into_, all.header.pools.lost, "Pools that had no room in the registry");
    say(into_, all.header.slabs.lost, "Reservations of stacks that had no room in the registry");
    const auto unmeasured =
        std::ranges::count(std::span(into_.pools).subspan(into_.pools.size() - all.pools.size()),
                           false, &pool::measured);
    say(into_, static_cast<std::uint64_t>(unmeasured), "Pools that do not measure depths",
        "stack_options::measure is false");
  }

  void add_sites(const registry& all, std::size_t first_pool) {
    std::unordered_map<std::uint32_t, pool*> pools;
    for (std::size_t i = 0; i < all.pools.size(); ++i)
      pools.emplace(all.pools[i].index, &into_.pools[first_pool + i]);
    const site_losses lost = read_sites(target_, all, [&](const bast::watch::site_entry& entry) {
      const auto found = pools.find(entry.pool);
      pool* const home = found == pools.end() ? nullptr : found->second;
      const std::uint64_t max = book_.enter(entry, home == nullptr ? 0 : home->id, options_.now_ns);
      if (home != nullptr) home->max = std::max(home->max, max);
    });
    say(into_, lost.unread, "Sites that could not be read");
    say(into_, lost.torn, "Sites that were being written whenever they were read",
        "their numbers may be apart by one measurement");
    say(into_, lost.torn_deepest, "Deepest stacks that were being written whenever they were read",
        "they are left out");
    say(into_, all.header.sites.lost, "Sites that had no room in the registry");
  }

  void tell(const registry& all, const slot_losses& lost) {
    if (options_.registry_only) {
      const auto there =
          std::ranges::count_if(all.pools, [](const auto& each) { return !is_gone(each.entry); });
      say(into_, static_cast<std::uint64_t>(there), "Pools that were still there at the end",
          "uses of their stacks since they were last measured are not counted");
      return;
    }
    say(into_, lost.unread, "Stacks whose record could not be read");
    say(into_, lost.damaged, "Stacks that were changing while they were read", "they are left out");
    say(into_, lost.bad_slabs, "Reservations of stacks with impossible numbers or without a pool");
    say(into_, lost.not_kept, "Live stacks beyond those that are listed", "they are only counted");
  }

  void scan(const bast::watch::slot_layout& layout, std::span<live_stack> stacks,
            std::span<const slot_place> places) {
    const depth_losses lost = scan_depths(target_, stacks, places);
    say(into_, forget_reused(target_, layout, stacks, places), "Live stacks of unknown depth",
        "they ended while they were looked at");
    say(into_, lost.unknown, "Live stacks of unknown depth",
        "which of their pages are there cannot be known");
    say(into_, lost.unreadable, "Live stacks of unknown depth", "they could not be read");
    say(into_, lost.missing, "Suspended stacks whose memory is missing",
        "a core that gdb or a truncation left them out of; they are as deep as their stack "
        "pointer, or deeper");
    say(into_, lost.swapped_pages, "Pages of stacks that were swapped out",
        "they have been read in");
    const auto poisoned = std::ranges::count(places, true, &slot_place::poisoned);
    say(into_, static_cast<std::uint64_t>(poisoned), "Live stacks in pools that poison stacks",
        "bytes 0xfb at their deep end count as not used");
    std::unordered_map<std::uint64_t, pool*> pools;
    for (pool& each : into_.pools) pools.emplace(each.id, &each);
    for (const live_stack& stack : stacks) {
      pool& home = *pools.at(stack.pool);
      note_depth(into_.sites[stack.site], stack.depth, home.limit);
      home.resident += stack.resident;
      home.max = std::max(home.max, stack.depth);
    }
  }

  memory& target_;
  const collect_options& options_;
  snapshot& into_;
  std::vector<extent>* slots_;
  site_index book_;
};

}  // namespace

std::expected<void, problem> collect(memory& target, const std::vector<std::uint64_t>& registries,
                                     const collect_options& options, snapshot& into,
                                     std::vector<extent>* slots) {
  collector all(target, options, into, slots);
  std::optional<problem> first_problem;
  std::size_t good = 0;
  for (const std::uint64_t address : registries) {
    const auto found = read_registry(target, address);
    if (found) {
      all.add(*found);
      ++good;
    } else if (!first_problem) {
      first_problem = found.error();
    }
  }
  if (const auto& why = target.broken()) return std::unexpected(*why);
  if (good == 0 && first_problem) return std::unexpected(*first_problem);
  if (into.pools.empty() && into.sites.empty()) {
    return std::unexpected(
        problem{.what = fmt::format("{} has bast, and a registry, but no pool", into.what),
                .remedy = "try again when it has started its first coroutine"});
  }
  if (first_problem) into.not_seen.push_back(first_problem->what + ".");
  drop_unused_other(into);
  sort_sites(into);
  return {};
}

}  // namespace bast_stacks
