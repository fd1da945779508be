// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the `stack_pool` tests: one pool of the tier under test, and stack users that need
// no coroutine, because they write where a coroutine's frames would be.
#pragma once

#include <cstddef>
#include <vector>

#include "bast/stack.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast::test {

/// Writes a byte at exactly `depth` bytes below the top, like the deepest byte of a frame. Opens
/// memory as needed.
inline void touch(slot& s, std::size_t depth) {
  ASSERT_TRUE(ensure_open(s, s.top - depth).has_value());
  *(s.top - depth) = std::byte{0x5a};
}

/// Fills the deepest `depth` bytes below the top.
inline void fill(slot& s, std::size_t depth) {
  ASSERT_TRUE(ensure_open(s, s.top - depth).has_value());
  std::fill(s.top - depth, s.top, std::byte{0x5a});
}

/// True if every byte of the open part is `expected`. Clears sanitizer marks to read them.
inline bool open_part_is(slot& s, std::byte expected) {
  arch::fiber_hooks::recycle(stack_pool::bounds_of(s));
  const std::byte* const low = slab::of(s).open_low(s);
  return std::all_of(low, static_cast<const std::byte*>(s.top),
                     [=](std::byte b) { return b == expected; });
}

struct pool_fixture : each_tier {
  void make(stack_options options, std::size_t stacks_max) {
    options.tier = GetParam();
    const auto ready = pool.init(options, stacks_max);
    ASSERT_TRUE(ready.has_value()) << ready.error().message();
  }
  slot& acquire(const site_key& site) {
    const auto got = pool.acquire(site);
    EXPECT_TRUE(got.has_value()) << got.error().message();
    return **got;
  }
  std::vector<slot*> acquire_many(const site_key& site, std::size_t count) {
    std::vector<slot*> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(&acquire(site));
    return all;
  }
  void release_all(const std::vector<slot*>& slots) {
    for (slot* const s : slots) pool.release(*s);
  }
  /// One use of `depth` bytes; 0 writes nothing.
  void use(const site_key& site, std::size_t depth) {
    slot& s = acquire(site);
    if (depth != 0) touch(s, depth);
    pool.release(s);
  }
  /// The statistics of a site, without reading pending uses.
  site_stats stats_of(const site_key& site) const {
    for (std::uint16_t i = 0; i < pool.sites().size(); ++i) {
      if (pool.sites()[i].key == site) return pool.sites().stats(i);
    }
    return {};
  }
  void TearDown() override {
    if (!IsSkipped()) pool.check_invariants();
  }
  stack_pool pool;
};

// Arrays instead of literals, which may have different addresses in different translation units.
inline constexpr char label_a[] = "site a";
inline constexpr char label_b[] = "site b";
inline constexpr char label_c[] = "site c";
inline constexpr site_key site_a = site_key::labelled(label_a);
inline constexpr site_key site_b = site_key::labelled(label_b);
inline constexpr site_key site_c = site_key::labelled(label_c);

/// In hardened builds the quarantine selects the next stack, and every use is read.
inline constexpr bool quarantined = mitigation::quarantine_slots != 0;

}  // namespace bast::test
