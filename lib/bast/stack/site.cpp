// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/site.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>

#include "bast/os.hpp"

namespace bast {
namespace {

constexpr std::size_t first_capacity = 8;
constexpr site_key other_key{"(other)", 0, 0};
// 64 bytes: less than the smallest frame that a coroutine has.
constexpr int first_octave = 6;
constexpr int sub_bits = 2;

}  // namespace

// --- depth_histogram -----------------------------------------------------------------------------

std::size_t depth_histogram::bucket_of(std::size_t depth) noexcept {
  if (depth < (std::size_t{1} << first_octave)) return 0;
  const auto octave = static_cast<int>(std::bit_width(depth)) - 1;
  const std::size_t sub = (depth >> (octave - sub_bits)) & ((1U << sub_bits) - 1);
  const std::size_t bucket =
      1 + (static_cast<std::size_t>(octave - first_octave) << sub_bits) + sub;
  return std::min(bucket, bucket_count - 1);
}

std::size_t depth_histogram::upper_bound_of(std::size_t bucket) noexcept {
  if (bucket == 0) return (std::size_t{1} << first_octave) - 1;
  const std::size_t octave = first_octave + ((bucket - 1) >> sub_bits);
  const std::size_t sub = (bucket - 1) & ((1U << sub_bits) - 1);
  const std::size_t step = std::size_t{1} << (octave - sub_bits);
  return (std::size_t{1} << octave) + (sub + 1) * step - 1;
}

void depth_histogram::add(std::size_t depth) noexcept {
  ++buckets_[bucket_of(depth)];
  ++count_;
  raise_max(depth);
}

void depth_histogram::raise_max(std::size_t depth) noexcept { max_ = std::max(max_, depth); }

std::size_t depth_histogram::quantile(double q) const noexcept {
  if (count_ == 0) return 0;
  // The rank of the q-quantile among count_ readings: the smallest r with r >= q * count.
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return std::min(upper_bound_of(bucket), max_);
  }
  return max_;
}

// --- site_key, site_table ------------------------------------------------------------------------

void site_key::describe(text& out) const noexcept {
  out << where;
  if (line != 0) out << ':' << line;
}

site_table::~site_table() {
  if (heads_ != nullptr) os::release(reinterpret_cast<std::byte*>(heads_), bytes_for(capacity_));
}

site_stats site_table::stats(std::uint16_t index) const noexcept {
  const depth_histogram& depths = records_[index].depths;
  return {.key = heads_[index].key,
          .uses = heads_[index].uses,
          .samples = depths.count(),
          .grows = records_[index].grows,
          .p50 = {depths.quantile(0.50)},
          .p99 = {depths.quantile(0.99)},
          .max = {depths.max()}};
}

std::size_t site_table::bytes_for(std::size_t capacity) noexcept {
  return internal::round_up(
      capacity * (sizeof(site_head) + sizeof(site_record) + 4 * sizeof(entry)), os::page_bytes());
}

void site_table::move_into(std::byte* memory, std::size_t capacity) noexcept {
  heads_ = new (memory) site_head[capacity];
  memory += capacity * sizeof(site_head);
  records_ = new (memory) site_record[capacity];
  memory += capacity * sizeof(site_record);
  entries_ = new (memory) entry[4 * capacity];
  capacity_ = capacity;
}

result<void> site_table::init() noexcept {
  const auto memory = os::map(bytes_for(first_capacity));
  if (!memory) return std::unexpected(memory.error());
  move_into(*memory, first_capacity);
  heads_[0].key = other_key;  // I1
  size_ = 1;
  return {};
}

site_table::entry* site_table::probe(const site_key& key) noexcept {
  const std::size_t mask = 4 * capacity_ - 1;
  const auto address = reinterpret_cast<std::uintptr_t>(key.where);
  // Fibonacci hashing; the low bits of an address alone would cluster.
  std::size_t at =
      ((address ^ (std::uintptr_t{key.line} << 32) ^ key.column) * 0x9e3779b97f4a7c15U) >> 32;
  for (;; ++at) {
    entry* const e = entries_ + (at & mask);
    if (e->record == 0 || e->key == key) return e;
  }
}

bool site_table::grow() noexcept {
  const std::size_t capacity = 2 * capacity_;
  const auto memory = os::map(bytes_for(capacity));
  if (!memory) return false;
  site_head* const old_heads = heads_;
  const site_record* const old_records = records_;
  const entry* const old_entries = entries_;
  const std::size_t old_capacity = capacity_;
  move_into(*memory, capacity);
  std::copy_n(old_heads, size_, heads_);
  std::copy_n(old_records, size_, records_);
  for (std::size_t i = 0; i < 4 * old_capacity; ++i) {
    if (old_entries[i].record != 0) *probe(old_entries[i].key) = old_entries[i];
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

std::uint16_t site_table::add_record(const site_key& key) noexcept {
  if (size_ == sites_max) return 0;
  if (size_ == capacity_ && !grow()) return 0;
  heads_[size_].key = key;
  return size_++;
}

std::uint16_t site_table::find_slow(site_key key) noexcept {
  if (key.where == nullptr) return 0;
  entry* known = probe(key);
  if (known->record != 0) return last_ = known->record;
  std::uint16_t record = find_by_text(key);  // I2
  if (record == 0) record = add_record(key);
  if (record == 0) return 0;
  // Room for one more spelling: the entries stay at most three quarters full.
  if (4 * (entries_used_ + 1) > 12 * capacity_ && !grow()) return record;
  known = probe(key);
  *known = {key, record};
  ++entries_used_;
  return last_ = record;
}

}  // namespace bast
