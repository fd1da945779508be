// SPDX-License-Identifier: Apache-2.0
//
// Spawn sites: who used how much stack. Every stack's depth is recorded under the place in the
// source that started it, or under a label, because the average over a program says nothing about
// any of its coroutines.
//
// Uses are counted exactly. Depths are of two kinds:
//   - samples: the depth of one use that was chosen before it ran. They make the quantiles, which
//   so
//     say what a use is like. Each of a site's first `samples_in_full` uses is one, later one after
//     every `uses_between_samples`. With stack_scrub::zero_used every use is one.
//   - everything else between two samples raises the maximum, whenever its stack is read: when it
//     grew, when another site takes it, at trimming, at every query, and before the next sample.
//     No depth is lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

#include "bast/base.hpp"

namespace bast {

inline constexpr std::uint16_t samples_in_full = 1024;
// A reading costs about a microsecond, a life from acquire to release ten nanoseconds: at this
// distance the readings are lost in the lives (bench: create).
inline constexpr std::uint16_t uses_between_samples = 8192;

/// A histogram of sizes in bytes with four buckets to the octave: a quantile is exact to within
/// 25 %, and its maximum is exact. Not thread-safe; allocates nothing.
class depth_histogram {
 public:
  static constexpr std::size_t bucket_count = 92;

  void add(std::size_t depth) noexcept;
  /// Takes note of a depth that is no sample.
  void raise_max(std::size_t depth) noexcept;
  /// The samples.
  std::uint64_t count() const noexcept { return count_; }
  std::size_t max() const noexcept { return max_; }
  /// The upper bound of the bucket that holds the `q`-quantile (0 < q <= 1), at most the maximum;
  /// 0 when empty.
  std::size_t quantile(double q) const noexcept;

  static std::size_t bucket_of(std::size_t depth) noexcept;
  static std::size_t upper_bound_of(std::size_t bucket) noexcept;

 private:
  std::uint64_t count_ = 0;
  std::size_t max_ = 0;
  std::uint64_t buckets_[bucket_count] = {};
};

/// What identifies a site: a label, or a place in the source. Compared by address first.
struct site_key {
  const char* where = nullptr;  // the label (line 0), or the file; static lifetime
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  static constexpr site_key at(const std::source_location& where) noexcept {
    return {where.file_name(), where.line(), where.column()};
  }
  static constexpr site_key labelled(const char* label) noexcept { return {label, 0, 0}; }
  friend constexpr bool operator==(const site_key&, const site_key&) noexcept = default;

  void describe(text& out) const noexcept;
};

struct slot;

/// What every acquire and release of a site touches; apart from the record, and of a size that is
/// cheap to index.
struct site_head {
  site_key key;
  slot* idle = nullptr;    // released stacks return to the site that used them (LIFO)
  std::uint64_t uses = 0;  // releases read so far
};
static_assert(sizeof(site_head) == 32);

/// The record of one site in one pool.
struct site_record {
  std::uint64_t grows = 0;  // faults that opened more
  depth_histogram depths;   // bytes
};

/// One line of statistics, as a user sees it.
struct site_stats {
  site_key key;
  std::uint64_t uses = 0;
  std::uint64_t samples = 0;  // uses that p50 and p99 are of; `max` is of all
  std::uint64_t grows = 0;
  bytes p50;
  bytes p99;
  bytes max;
};
/// The sites of one pool: a small hash table in memory of its own. Not thread-safe.
///
///   I1  Record 0 is "(other)": stacks that never had a user, and sites beyond the limit.
///   I2  A site has one record, whichever translation unit spells its file name.
class site_table {
 public:
  static constexpr std::size_t sites_max = 4096;  // records; more sites share record 0

  site_table() = default;
  ~site_table();
  site_table(const site_table&) = delete;
  site_table& operator=(const site_table&) = delete;

  /// Errors: no_memory.
  [[nodiscard]] result<void> init() noexcept;

  /// The record of `key`, made if it is new. Never fails: see I1. O(1), a few ns when it is the
  /// same site as the time before.
  std::uint16_t find(site_key key) noexcept {
    if (heads_[last_].key == key) [[likely]]
      return last_;
    return find_slow(key);
  }

  site_head& operator[](std::uint16_t index) noexcept { return heads_[index]; }
  const site_head& operator[](std::uint16_t index) const noexcept { return heads_[index]; }
  site_record& record(std::uint16_t index) noexcept { return records_[index]; }
  const site_record& record(std::uint16_t index) const noexcept { return records_[index]; }
  site_stats stats(std::uint16_t index) const noexcept;
  std::uint16_t size() const noexcept { return size_; }

 private:
  struct entry {
    site_key key;
    std::uint16_t record = 0;  // 0: free
  };
  std::uint16_t find_slow(site_key key) noexcept;
  std::uint16_t find_by_text(const site_key& key) const noexcept;
  std::uint16_t add_record(const site_key& key) noexcept;
  entry* probe(const site_key& key) noexcept;
  [[nodiscard]] bool grow() noexcept;
  void move_into(std::byte* memory, std::size_t capacity) noexcept;
  [[nodiscard]] static std::size_t bytes_for(std::size_t capacity) noexcept;

  site_head* heads_ = nullptr;  // one mapping: heads, records, entries
  site_record* records_ = nullptr;
  entry* entries_ = nullptr;  // 4 * capacity_
  std::size_t capacity_ = 0;
  std::size_t entries_used_ = 0;
  std::uint16_t size_ = 0;
  std::uint16_t last_ = 0;
};

}  // namespace bast
