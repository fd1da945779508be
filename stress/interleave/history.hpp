// SPDX-License-Identifier: Apache-2.0
//
// `history`: the stores to an atomic object in their modification order, and which of them an
// access may see. It knows neither threads' states nor values: a store's value is kept by the
// caller, in a slot.
//
//   modification order   s0  s1  s2  s3      s3 is the latest
//   floor of an access           ^^          s0 and s1 are hidden from it: coherence, [intro.races]
//   a load                       s2  s3      reads one of these
//   a store                        s4  s4    goes behind one of them
//   a read-modify-write                      reads one of them and goes directly behind it, where
//                                            no other read-modify-write did
//
// A store hides those before it from an access if somebody saw it, by writing or reading it, and
//
//   H1  that happens before the access;
//   H2  or it happens before a seq_cst fence which is before the last one that happens before the
//       access;
//   H3  or it was a seq_cst access before the last seq_cst fence that happens before the access;
//   H4  or both are seq_cst accesses;
//   H5  or the access is seq_cst, and it happens before a seq_cst fence.
//
// H2 to H5 are the four conditions of [atomics.order]/4 of C++20, with "before" in the order in
// which the seq_cst accesses and fences are run here: each order of them is some schedule.
//
//   H6  A thread that gave its turn away in relax() sees what was stored before that: stores become
//       visible in finite time, [intro.progress].
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "interleave/clock.hpp"

namespace bast::interleave::internal {

/// The stores that an object remembers: an older one is not seen again.
inline constexpr unsigned history_max = 8;
/// The values that its owner keeps, one for each of them and for the one that is being added.
inline constexpr unsigned slots_max = history_max + 1;

/// What an access has behind it.
struct past {
  const clock& seen;
  /// What happens before the seq_cst fences up to each; their number is that of this moment.
  std::span<const clock> fences;
  /// The accesses of the schedule up to the thread's last relax().
  std::uint64_t fresh = 0;
  unsigned thread = 0;
  bool seq_cst = false;
};

struct store {
  clock published;                          // What an acquire load of it gets.
  std::uint32_t seen_by[threads_max] = {};  // Each thread's clock when it first did; 0: not yet.
  std::uint32_t seq_cst_since = 0;  // 1 + the fences before the first seq_cst access of it; or 0.
  std::uint64_t step = 0;           // The access of the schedule that stored it.
  bool attached = false;            // By a read-modify-write: it follows the store that it read.
  std::uint8_t slot = 0;            // of its value
};

class history {
 public:
  /// The first store is the object's construction, in slot 0.
  history() noexcept { stores_[0].slot = 0; }

  unsigned count() const noexcept { return count_; }
  unsigned latest() const noexcept { return count_ - 1U; }
  store& at(unsigned index) noexcept { return stores_[index]; }
  const store& at(unsigned index) const noexcept { return stores_[index]; }

  /// The first store that the access may see.
  unsigned floor(const past& p) const noexcept;
  /// True if a store can go directly behind this one.
  bool is_open(unsigned index) const noexcept {
    return index == latest() || !stores_[index + 1].attached;
  }
  /// Records that the access saw this store.
  void see(unsigned index, const past& p) noexcept;
  /// Adds a store directly behind another one, in a free slot, and forgets the oldest if there are
  /// too many. Returns its index.
  unsigned insert_behind(unsigned index) noexcept;

 private:
  bool hides(const store& s, const past& p) const noexcept;

  std::array<store, slots_max> stores_;
  std::uint8_t count_ = 1;
};

}  // namespace bast::interleave::internal
