// SPDX-License-Identifier: Apache-2.0
//
// Spawn sites: stack depths by origin. Every stack's depth is recorded under the source location
// that started it, or under a label, because the average over a program says nothing about a
// particular coroutine.
//
// Uses are counted exactly. Depths are of two kinds:
//   - Samples: the depth of one use that was chosen at random before it ran. They make up the
//     quantiles, which describe a typical use. A site's first `samples_in_full` uses are samples.
//     After that each use is one with the same probability, independent of earlier uses: 1 in N,
//     where N is a 32nd of the site's uses so far, but at most `distance_max`. With
//     stack_scrub::zero_used every use is a sample.
//   - All uses between two samples raise the maximum when their stack is read: after growth, when
//     another site takes it, at trimming, at every query, and before the next sample. No depth is
//     lost: a query also reads stacks that are in use again, including the current use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

#include "bast/base.hpp"
#include "bast/watch.hpp"

namespace bast::inline BAST_ABI {

// A reading costs about a microsecond, a use from acquire to release ten nanoseconds. Of the first
// 1,024 uses of a site about 32 are samples, which takes 60 readings; at the largest distance their
// cost is negligible (bench: create, watch).
inline constexpr std::uint16_t samples_in_full = 16;
inline constexpr std::uint16_t distance_min = 64;
inline constexpr std::uint16_t distance_max = 16384;

/// Identifies a site: a label or a source location. Compared by address first.
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

/// The data of a site that every acquire and release uses, in a size that is cheap to index. The
/// recorded data is in the registry.
struct site_head {
  site_key key;
  slot* idle = nullptr;  // released stacks of this site (LIFO)
  watch::site_entry* entry = nullptr;
};
static_assert(sizeof(site_head) == 32);

/// The statistics of one site, for users.
struct site_stats {
  site_key key;
  std::uint64_t uses = 0;
  std::uint64_t samples = 0;  // uses in p50 and p99; `max` covers all uses
  std::uint64_t grows = 0;
  bytes p50;
  bytes p99;
  bytes max;
};
/// The sites of one pool: a small hash table in memory of its own. Not thread-safe.
///
///   I1  Site 0 is "(other)": stacks that never had a user, and sites beyond the limit.
///   I2  A site has one record, whichever translation unit spells its file name.
///   I3  `entry_of` is correct at every instant: the fault handler may interrupt any change of the
///       table.
class site_table {
 public:
  static constexpr std::size_t sites_max = 4096;  // more sites share record 0

  site_table() = default;
  ~site_table();
  site_table(const site_table&) = delete;
  site_table& operator=(const site_table&) = delete;

  /// `pool`: the owner's entry in the registry, or null. Errors: no_memory.
  [[nodiscard]] result<void> init(const watch::pool_entry* pool) noexcept;

  /// The pool ends; `gone` is its remaining registry entry, or null. The last call.
  void end_with(const watch::pool_entry* gone) noexcept { pool_ = gone; }

  /// The record of `key`, created if it is new. Never fails: see I1. O(1), a few ns for the same
  /// site as in the previous call.
  std::uint16_t find(site_key key) noexcept {
    if (heads_[last_].key == key) [[likely]]
      return last_;
    return find_slow(key);
  }

  site_head& operator[](std::uint16_t index) noexcept { return heads_[index]; }
  const site_head& operator[](std::uint16_t index) const noexcept { return heads_[index]; }
  /// The registry entry of a site. Async-signal-safe.
  watch::site_entry& entry_of(std::uint16_t index) const noexcept { return *heads_[index].entry; }
  site_stats stats(std::uint16_t index) const noexcept;
  std::uint16_t size() const noexcept { return size_; }

 private:
  struct spelling {
    site_key key;
    std::uint16_t record = 0;  // 0: free
  };
  std::uint16_t find_slow(site_key key) noexcept;
  std::uint16_t find_by_text(const site_key& key) const noexcept;
  std::uint16_t add_site(const site_key& key) noexcept;
  spelling* probe(const site_key& key) noexcept;
  [[nodiscard]] bool grow() noexcept;
  [[nodiscard]] static std::size_t bytes_for(std::size_t capacity) noexcept;

  const watch::pool_entry* pool_ = nullptr;
  site_head* heads_ = nullptr;     // one mapping: heads, spellings
  spelling* spellings_ = nullptr;  // 4 * capacity_
  std::size_t capacity_ = 0;
  std::size_t spellings_used_ = 0;
  std::uint16_t size_ = 0;
  std::uint16_t last_ = 0;
};

}  // namespace bast::inline BAST_ABI
