// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/site.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {
namespace {

constexpr std::size_t first_capacity = 8;
constexpr site_key other_key{"(other)", 0, 0};

watch::site_kind kind_of(const site_key& key) noexcept {
  if (key == other_key) return watch::site_kind::other;
  return key.line == 0 ? watch::site_kind::label : watch::site_kind::source;
}

watch::site_entry* take_entry(const site_key& key, const watch::pool_entry* pool,
                              std::uint16_t index) noexcept {
  return watch::take_site({kind_of(key), key.where, key.line, key.column}, pool, index);
}

}  // namespace

// --- site_key, site_table ------------------------------------------------------------------------

void site_key::describe(text& out) const noexcept {
  out << where;
  if (line != 0) out << ':' << line;
}

site_table::~site_table() {
  for (std::uint16_t i = 0; i < size_; ++i) watch::give(heads_[i].entry, pool_);
  if (heads_ != nullptr) os::release(reinterpret_cast<std::byte*>(heads_), bytes_for(capacity_));
}

site_stats site_table::stats(std::uint16_t index) const noexcept {
  const watch::site_entry& entry = entry_of(index);
  return {.key = heads_[index].key,
          .uses = entry.uses,
          .samples = entry.samples,
          .grows = entry.grows,
          .p50 = {watch::quantile(entry, 0.50)},
          .p99 = {watch::quantile(entry, 0.99)},
          .max = {entry.max}};
}

std::size_t site_table::bytes_for(std::size_t capacity) noexcept {
  return internal::round_up(capacity * (sizeof(site_head) + 4 * sizeof(spelling)),
                            os::page_bytes());
}

result<void> site_table::init(const watch::pool_entry* pool) noexcept {
  const auto memory = os::map(bytes_for(first_capacity));
  if (!memory) return std::unexpected(memory.error());
  auto* const other = take_entry(other_key, pool, 0);
  if (other == nullptr) {
    os::release(*memory, bytes_for(first_capacity));
    return fail(errc::no_memory, "stack_pool.init", "no memory to record spawn sites");
  }
  pool_ = pool;
  heads_ = new (*memory) site_head[first_capacity];
  spellings_ = new (*memory + first_capacity * sizeof(site_head)) spelling[4 * first_capacity];
  capacity_ = first_capacity;
  heads_[0] = {.key = other_key, .entry = other};  // I1
  size_ = 1;
  return {};
}

site_table::spelling* site_table::probe(const site_key& key) noexcept {
  const std::size_t mask = 4 * capacity_ - 1;
  const auto address = reinterpret_cast<std::uintptr_t>(key.where);
  // Fibonacci hashing; the low bits of addresses alone would cluster.
  std::size_t at =
      ((address ^ (std::uintptr_t{key.line} << 32) ^ key.column) * 0x9e3779b97f4a7c15U) >> 32;
  for (;; ++at) {
    spelling* const e = spellings_ + (at & mask);
    if (e->record == 0 || e->key == key) return e;
  }
}

bool site_table::grow() noexcept {
  const std::size_t capacity = 2 * capacity_;
  const auto memory = os::map(bytes_for(capacity));
  if (!memory) return false;
  site_head* const old_heads = heads_;
  const spelling* const old_spellings = spellings_;
  const std::size_t old_capacity = capacity_;
  auto* const heads = new (*memory) site_head[capacity];
  std::copy_n(old_heads, size_, heads);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // I3: filled first, and the old heads kept
  heads_ = heads;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  spellings_ = new (*memory + capacity * sizeof(site_head)) spelling[4 * capacity];
  capacity_ = capacity;
  for (std::size_t i = 0; i < 4 * old_capacity; ++i) {
    if (old_spellings[i].record != 0) *probe(old_spellings[i].key) = old_spellings[i];
  }
  os::release(reinterpret_cast<std::byte*>(old_heads), bytes_for(old_capacity));
  return true;
}

std::uint16_t site_table::find_by_text(const site_key& key) const noexcept {
  for (std::uint16_t i = 1; i < size_; ++i) {
    const site_key& known = heads_[i].key;
    if (known.line == key.line && known.column == key.column &&
        std::strcmp(known.where, key.where) == 0) {
      return i;
    }
  }
  return 0;
}

std::uint16_t site_table::add_site(const site_key& key) noexcept {
  if (size_ == sites_max) return 0;
  if (size_ == capacity_ && !grow()) return 0;
  auto* const entry = take_entry(key, pool_, size_);
  if (entry == nullptr) return 0;
  heads_[size_] = {.key = key, .entry = entry};
  return size_++;
}

std::uint16_t site_table::find_slow(site_key key) noexcept {
  if (key.where == nullptr) return 0;
  spelling* known = probe(key);
  if (known->record != 0) return last_ = known->record;
  std::uint16_t record = find_by_text(key);  // I2
  if (record == 0) record = add_site(key);
  if (record == 0) return 0;
  // For one more spelling: the table stays at most three quarters full.
  if (4 * (spellings_used_ + 1) > 12 * capacity_ && !grow()) return record;
  known = probe(key);
  *known = {key, record};
  ++spellings_used_;
  return last_ = record;
}

}  // namespace bast::inline BAST_ABI
