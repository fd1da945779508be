// SPDX-License-Identifier: Apache-2.0
#include "read/site_index.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "model/clean_text.hpp"
#include "model/statistics.hpp"

namespace bast_stacks {
namespace {

using bast::watch::deepest_stack;
using bast::watch::site_entry;
using bast::watch::site_kind;

constexpr const char* other_sites = "(other)";

std::uint64_t place_of(std::uint32_t pool, std::uint32_t index) {
  return std::uint64_t{pool} << 32 | index;
}

/// A record of a deepest stack, reduced to numbers that are safe to compute with.
deepest_stack checked(const deepest_stack& raw) {
  deepest_stack good = raw;
  if (good.count > bast::watch::return_count || good.first > good.count || good.depth > good.top ||
      good.sp_depth > good.top)
    return {};
  return good;
}

site site_from(const site_entry& entry, std::uint64_t pool_id, std::uint64_t now_ns) {
  site made;
  made.kind = entry.kind <= static_cast<std::uint32_t>(site_kind::label)
                  ? static_cast<site_kind>(entry.kind)
                  : site_kind::other;
  const std::string_view where(entry.where, sizeof entry.where);
  made.where = clean_field(where);
  if (made.where.empty()) made.where = other_sites;
  made.where_is_cut = entry.where_bytes > where.substr(0, where.find('\0')).size();
  made.line = entry.line;
  made.column = entry.column;
  made.uses = entry.uses;
  made.samples = entry.samples;
  made.grows = entry.grows;
  made.max = entry.max;
  const auto age_of = [&](std::uint64_t depth, std::uint64_t at_ns) {
    return depth != 0 && at_ns != 0 && now_ns > at_ns ? now_ns - at_ns : 0;
  };
  made.max_age_ns = age_of(entry.max, entry.max_at_ns);
  for (std::uint32_t i = 0; i < bast::watch::bucket_count; ++i) {
    if (entry.histogram[i] != 0)
      made.histogram.push_back({.index = i, .count = entry.histogram[i]});
  }
  made.limit = entry.limit;
  made.window = entry.window;
  if (pool_id != 0) made.pools.push_back(pool_id);
  made.raw = checked(entry.deepest);
  made.overflows = entry.overflows;
  // The growths of a use that has not ended show its depth.
  if (made.raw.depth > made.max) {
    note_depth(made, made.raw.depth, made.limit);
    made.max_age_ns = age_of(made.raw.depth, made.raw.at_ns);
  }
  return made;
}

}  // namespace

namespace {

/// Keeps these sites, in this order; no live stack belongs to another.
void reorder(snapshot& all, std::vector<std::size_t> order) {
  std::vector<std::size_t> place(all.sites.size());
  std::vector<site> sorted;
  sorted.reserve(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    sorted.push_back(std::move(all.sites[order[i]]));
  }
  all.sites = std::move(sorted);
  for (live_stack& stack : all.stacks) stack.site = place[stack.site];
}

}  // namespace

void sort_sites(snapshot& all) {
  std::vector<std::size_t> order(all.sites.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return identity_of(all.sites[i]); });
  reorder(all, std::move(order));
}

void drop_unused_other(snapshot& all) {
  std::vector<std::size_t> order(all.sites.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::erase_if(order, [&](std::size_t i) {
    return all.sites[i].kind == site_kind::other && !has_run(all.sites[i]);
  });
  reorder(all, std::move(order));
}

site_index::site_index(snapshot& all) : all_(all) {
  for (std::size_t i = 0; i < all_.sites.size(); ++i)
    by_identity_.emplace(identity_of(all_.sites[i]), i);
}

std::size_t site_index::enter(site entered) {
  const auto [at, is_new] = by_identity_.emplace(identity_of(entered), all_.sites.size());
  if (is_new) {
    all_.sites.push_back(std::move(entered));
  } else {
    merge(all_.sites[at->second], entered);
  }
  return at->second;
}

std::uint64_t site_index::enter(const site_entry& entry, std::uint64_t pool_id,
                                std::uint64_t now_ns) {
  site made = site_from(entry, pool_id, now_ns);
  const std::uint64_t max = made.max;
  const std::size_t index = enter(std::move(made));
  if (pool_id != 0) by_place_.insert_or_assign(place_of(entry.pool, entry.index), index);
  // Destroyed pools did not all exist at one time.
  held& most = held_max_[index];
  if (entry.state == static_cast<std::uint32_t>(bast::watch::entry_state::closed)) {
    most.gone = std::max(most.gone, entry.held_max);
  } else {
    most.open = add(most.open, entry.held_max);
  }
  return max;
}

void site_index::raise_held() {
  for (const auto& [index, most] : held_max_)
    all_.sites[index].held = std::max({all_.sites[index].held, most.open, most.gone});
}

std::size_t site_index::find(std::uint32_t pool_index, std::uint16_t index) {
  const auto [at, is_new] = by_place_.emplace(place_of(pool_index, index), 0);
  if (is_new) {
    site unknown;
    unknown.where = other_sites;
    at->second = enter(std::move(unknown));
  }
  return at->second;
}

}  // namespace bast_stacks
