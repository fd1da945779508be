// SPDX-License-Identifier: Apache-2.0
//
// Entries of the registry: taken and returned under one lock.
#include <algorithm>
#include <cstring>
#include <mutex>
#include <span>
#include <tuple>

#include "bast/os.hpp"
#include "bast/watch/site.hpp"
#include "bast/watch/writer.hpp"

namespace bast::watch {
namespace {

constexpr std::uint32_t sites_step = 16;  // opened by one mprotect

// Indexed like the entries; untouched, they cost nothing.
constinit std::uint32_t next_free[sites_max] = {};
constinit std::uint64_t closed_hash[sites_max] = {};  // of closed entries, else 0

}  // namespace

// --- pools and slabs -----------------------------------------------------------------------------

namespace {

/// The first free entry of a table, zeroed except for its state.
template <class Entry>
Entry* take(table& where) noexcept {
  auto* const all = entries<Entry>(where);
  std::uint32_t at = 0;
  while (at < where.used && all[at].state != static_cast<std::uint32_t>(entry_state::free)) ++at;
  if (at == where.capacity) {
    ++where.lost;
    return nullptr;
  }
  all[at] = Entry{};
  // Neither free nor readable before it is published.
  all[at].state = static_cast<std::uint32_t>(entry_state::closed);
  if (at == where.used) put(where.used, at + 1);
  return all + at;
}

template <class Entry>
void give_back(Entry* entry) noexcept {
  if (entry == nullptr) return;
  const std::lock_guard guard(the_writer.lock);
  put(entry->state, static_cast<std::uint32_t>(entry_state::free));
}

}  // namespace

pool_entry* take_pool() noexcept {
  const std::lock_guard guard(the_writer.lock);
  auto* const entry = take<pool_entry>(registry()->pools);
  if (entry != nullptr) entry->id = ++the_writer.pool_ids;
  return entry;
}
slab_entry* take_slab() noexcept {
  const std::lock_guard guard(the_writer.lock);
  return take<slab_entry>(registry()->slabs);
}
void publish(pool_entry& entry) noexcept {
  put(entry.state, static_cast<std::uint32_t>(entry_state::open));
}
void publish(slab_entry& entry) noexcept {
  put(entry.state, static_cast<std::uint32_t>(entry_state::open));
}
void set_opened(slab_entry& entry, std::uint32_t slots) noexcept { put(entry.opened, slots); }

void write_end_of(std::span<char> place, std::string_view whole) noexcept {
  const std::size_t length = std::min(whole.size(), place.size() - 1);
  std::memcpy(place.data(), whole.data() + (whole.size() - length), length);
  place[length] = '\0';
}

void give(pool_entry* entry) noexcept { give_back(entry); }
void give(slab_entry* entry) noexcept { give_back(entry); }

namespace {

bool same_options(const pool_entry& one, const pool_entry& other) noexcept {
  const auto options = [](const pool_entry& p) {
    return std::tie(p.limit, p.guard, p.window, p.retain, p.budget, p.scrub, p.growth, p.measured);
  };
  return options(one) == options(other) && std::strcmp(one.where, other.where) == 0;
}

/// The entry that sums destroyed pools like this one; itself if it is the first of them; null if
/// half of the table is already used for such entries.
pool_entry* home_of_gone(pool_entry& entry) noexcept {
  const table& pools = registry()->pools;
  auto* const all = entries<pool_entry>(pools);
  std::uint32_t kinds = 0;
  for (std::uint32_t i = 0; i < pools.used; ++i) {
    if (!is_gone(all[i])) continue;
    if (same_options(all[i], entry)) return all + i;
    ++kinds;
  }
  return kinds < pools.capacity / 2 ? &entry : nullptr;
}

}  // namespace

pool_entry* close(pool_entry* entry, std::uint64_t stacks) noexcept {
  if (entry == nullptr) return nullptr;
  const std::lock_guard guard(the_writer.lock);
  pool_entry* const home = stacks == 0 ? nullptr : home_of_gone(*entry);
  if (home != nullptr) {
    put(home->gone, home->gone + 1);
    put(home->stacks_max, std::max(home->stacks_max, stacks));
  }
  const bool stays = home == entry;
  put(entry->state, static_cast<std::uint32_t>(stays ? entry_state::closed : entry_state::free));
  return home;
}

std::uint32_t index_of(const pool_entry* entry) noexcept {
  if (entry == nullptr) return no_index;
  return static_cast<std::uint32_t>(entry - entries<pool_entry>(registry()->pools));
}

// --- sites ---------------------------------------------------------------------------------------

namespace {

site_entry* all_sites() noexcept { return entries<site_entry>(registry()->sites); }

/// FNV-1a. Never 0, which stands for an entry without a name.
std::uint64_t hash_of(const site_entry& entry) noexcept {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325U;
  const auto add_word = [&](std::uint64_t word) { hash = (hash ^ word) * 0x100'0000'01b3U; };
  for (const char* c = entry.where; *c != '\0'; ++c) add_word(static_cast<unsigned char>(*c));
  add_word(entry.where_bytes);
  add_word(entry.kind);
  add_word(entry.line);
  add_word(entry.column);
  add_word(entry.pool);
  return hash | 1;
}

bool same_site(const site_entry& one, const site_entry& other) noexcept {
  return one.pool == other.pool && one.kind == other.kind && one.line == other.line &&
         one.column == other.column && one.where_bytes == other.where_bytes &&
         std::strcmp(one.where, other.where) == 0;
}

bool open_more_sites(const header& head) noexcept {
  if (the_writer.sites_opened >= head.sites.capacity) return false;
  const std::size_t step = internal::round_up(sites_step * sizeof(site_entry), os::page_bytes());
  auto* const from = reinterpret_cast<std::byte*>(all_sites() + the_writer.sites_opened);
  auto* const end = reinterpret_cast<std::byte*>(all_sites() + head.sites.capacity);
  const std::size_t size = std::min(step, static_cast<std::size_t>(end - from));
  if (!os::protect(from, size, os::access::read_write)) return false;
  the_writer.sites_opened += static_cast<std::uint32_t>(size / sizeof(site_entry));
  return true;
}

site_entry* free_site_entry() noexcept {
  header& head = *registry();
  if (the_writer.free_site != no_index) {
    const std::uint32_t at = the_writer.free_site;
    the_writer.free_site = next_free[at];
    return all_sites() + at;
  }
  if (head.sites.used == the_writer.sites_opened && !open_more_sites(head)) {
    ++head.sites.lost;
    return nullptr;
  }
  const std::uint32_t at = head.sites.used;
  put(head.sites.used, at + 1);
  return all_sites() + at;
}

bool is_in_table(const site_entry* entry) noexcept {
  const auto* const first = all_sites();
  return entry >= first && entry < first + registry()->sites.capacity;
}

void write_name(site_entry& entry, const site_name& name) noexcept {
  write_end_of(entry.where, name.where);
  entry.where_bytes = static_cast<std::uint32_t>(name.where.size());
  entry.kind = static_cast<std::uint32_t>(name.kind);
  entry.line = name.line;
  entry.column = name.column;
}

void free_entry(site_entry& entry) noexcept {
  if (!is_in_table(&entry)) {
    os::release(reinterpret_cast<std::byte*>(&entry),
                internal::round_up(sizeof entry, os::page_bytes()));
    return;
  }
  put(entry.state, static_cast<std::uint32_t>(entry_state::free));
  const auto at = static_cast<std::uint32_t>(&entry - all_sites());
  next_free[at] = the_writer.free_site;
  the_writer.free_site = at;
}

/// The closed entry of the same site, or null.
site_entry* closed_twin(const site_entry& entry, std::uint64_t hash) noexcept {
  site_entry* twin = all_sites();
  for (const std::uint64_t closed : std::span(closed_hash).first(registry()->sites.used)) {
    if (closed == hash && same_site(*twin, entry)) return twin;
    ++twin;
  }
  return nullptr;
}

}  // namespace

site_entry* take_site(const site_name& name, const pool_entry* pool, std::uint32_t index) noexcept {
  const std::lock_guard guard(the_writer.lock);
  site_entry* entry = free_site_entry();
  if (entry == nullptr) {
    const auto memory = os::map(internal::round_up(sizeof(site_entry), os::page_bytes()));
    if (!memory) return nullptr;
    entry = reinterpret_cast<site_entry*>(*memory);
  }
  // The sequence words continue: a reader may have begun to copy the previous content.
  const std::uint32_t sequence = entry->sequence;
  const std::uint32_t deepest_sequence = entry->deepest.sequence;
  *entry = site_entry{};
  entry->sequence = sequence + 2;
  entry->deepest.sequence = deepest_sequence + 2;
  write_name(*entry, name);
  entry->pool = index_of(pool);
  entry->index = index;
  if (pool != nullptr) {
    entry->limit = pool->limit;
    entry->window = pool->window;
  }
  put(entry->state, static_cast<std::uint32_t>(entry_state::open));
  return entry;
}

void give(site_entry* entry, const pool_entry* gone) noexcept {
  if (entry == nullptr) return;
  const std::lock_guard guard(the_writer.lock);
  if (entry->uses == 0 && entry->overflows == 0) return free_entry(*entry);
  entry->pool = index_of(gone);
  const std::uint64_t hash = hash_of(*entry);
  site_entry* const twin = closed_twin(*entry, hash);
  if (twin != nullptr) {
    merge(*twin, *entry);
    // In a forked child the entry may be free, see registry.cpp.
    put(twin->state, static_cast<std::uint32_t>(entry_state::closed));
    return free_entry(*entry);
  }
  if (!is_in_table(entry)) return free_entry(*entry);
  entry->held = 0;
  closed_hash[entry - all_sites()] = hash;
  put(entry->state, static_cast<std::uint32_t>(entry_state::closed));
}

}  // namespace bast::watch
