// SPDX-License-Identifier: Apache-2.0
//
// `stack_pool`: the stacks of one owner. Acquires, releases, measures, scrubs and trims them.
//
//   I1  A slot is in exactly one place: unopened in its slab, in one idle list, in the quarantine,
//       or live.
//   I2  An idle slot is open from its top to at most `retain` bytes below it, guarded below that.
//   I3  A slot returns to the idle list of the site that used it, so a deep site finds its stacks
//       already grown. A site without one takes one from another site; that stack is measured
//       first.
//   I4  Under zero_used every byte of an idle slot is zero.
//   I5  Sanitizers that watch stacks treat an idle slot as inaccessible and a live one as its
//       user's.
//
// Not thread-safe: the owner's thread only. acquire and release of a warm pool allocate nothing and
// make no system call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/arch.hpp"
#include "bast/base.hpp"
#include "bast/stack/site.hpp"
#include "bast/stack/slab.hpp"

namespace bast::inline BAST_ABI {

struct stack_pool_stats {
  std::size_t slots_opened = 0;  // used or ready for use
  std::size_t idle = 0;
  std::size_t live = 0;
  std::size_t quarantined = 0;
  std::size_t slabs = 0;
  bytes open;                            // as charged to the budget
  bytes reserved;                        // address space
  std::size_t stacks_guard_markers = 0;  // opened, by the tier of their slab
  std::size_t stacks_protection = 0;
};

class stack_pool {
 public:
  stack_pool() = default;
  ~stack_pool();
  stack_pool(const stack_pool&) = delete;
  stack_pool& operator=(const stack_pool&) = delete;

  /// Installs the growth handler and validates the options. `stacks_max` bounds the slots. `where`
  /// is the source location of the pool's creation, for the inspector. Errors: `invalid` (with the
  /// option), unsupported (tier), no_memory.
  [[nodiscard]] result<void> init(const stack_options& options, std::size_t stacks_max,
                                  site_key where = {}) noexcept;

  /// From here on only the stack that `running` returns may grow, for the thread that it knows as
  /// `user`. Called again when the pool changes its thread. Without it, any thread may grow any
  /// live stack: code that switches to live stacks by its own means is trusted.
  void set_user(running_stack running, std::uint64_t user) noexcept {
    owner_.running = running;
    owner_.user.store(user, std::memory_order_relaxed);
  }

  /// A stack for a user from `site`, called `name` in reports (static lifetime, or null). Errors:
  /// `limit` (stacks_max, a budget), no_memory.
  [[nodiscard]] result<slot*> acquire(site_key site, const char* name = nullptr) noexcept {
    const std::uint16_t at = sites_.find(site);
    site_head& head = sites_[at];
    slot* const s = head.idle;
    if (s == nullptr) [[unlikely]]
      return acquire_slow(at, name);
    head.idle = s->next;
    take(*s, name);
    return s;
  }

  /// Releases a stack on which nothing runs any more. Never fails.
  void release(slot& s) noexcept {
    BAST_ASSERT(s.state == slot_state::live);
    arch::fiber_hooks::recycle(open_bounds_of(s));
    const auto left = static_cast<std::uint16_t>(s.countdown.load(std::memory_order_relaxed) - 1);
    s.countdown.store(left, std::memory_order_relaxed);
    if (left == 0) [[unlikely]]
      return release_slow(s);
    put_back(s);
  }

  /// Opens stacks until `count` are idle or live. Errors as acquire.
  [[nodiscard]] result<void> reserve(std::size_t count) noexcept;

  /// Releases the memory of idle stacks: their pages, and whole slabs without a live stack. Returns
  /// the bytes of address space unmapped. Never fails.
  bytes shrink() noexcept;

  /// Reads every stack with pending uses. On a stack that is in use again, their traces cannot be
  /// distinguished from the current use; the maximum then includes both. Call before reading
  /// `sites`. O(slots).
  void read_pending_marks() noexcept;
  const site_table& sites() const noexcept { return sites_; }

  /// Calls `f(slab&, slot&)` for every opened stack, live or not.
  template <class F>
  void for_each_stack(F f) {
    for (slab* home = slabs_; home != nullptr; home = home->next) {
      for (std::uint32_t i = 0; i < home->opened; ++i) f(*home, home->slots()[i]);
    }
  }

  /// Visits all slots: O(slots).
  stack_pool_stats stats() const noexcept;
  const stack_geometry& geometry() const noexcept { return geometry_; }
  stack_budget& budget() noexcept { return owner_.budget; }

  static arch::stack_bounds bounds_of(slot& s) noexcept {
    const slab& home = slab::of(s);
    const std::byte* const low = home.low(s) + home.geometry.guard;
    return {low, static_cast<std::size_t>(home.high(s) - low)};
  }

  /// The open part of a slot: all bytes that a user can have written or a sanitizer can have
  /// marked, because closing clears the marks (slab::close_below).
  static arch::stack_bounds open_bounds_of(slot& s) noexcept {
    const slab& home = slab::of(s);
    return {home.open_low(s), home.open_bytes(s)};
  }

  /// Verifies I1 .. I5. O(bytes open). For tests and fuzzers.
  void check_invariants() noexcept;

 private:
  static void take(slot& s, const char* name) noexcept {
    BAST_ASSERT(s.state == slot_state::idle);
    if constexpr (arch::stacks_are_watched) {
      if (!BAST_MUTANT(unpoison_forgotten)) arch::grant_stack(open_bounds_of(s));  // I5
    }
    s.name = name;
    s.state = slot_state::live;
  }
  void put_back(slot& s) noexcept {  // I3
    site_head& head = sites_[s.site];
    revoke(s);
    s.state = slot_state::idle;
    s.next = head.idle;
    head.idle = &s;
  }
  static void revoke(slot& s) noexcept {  // I5
    if constexpr (arch::stacks_are_watched) arch::revoke_stack(open_bounds_of(s));
  }
  result<slot*> acquire_slow(std::uint16_t site, const char* name) noexcept;
  slot* take_from_another_site(std::uint16_t sites_to_try) noexcept;
  slot* take_from_quarantine() noexcept;
  result<void> open_more() noexcept;
  result<void> add_slab() noexcept;
  void enter_registry(const stack_options& options, site_key where) noexcept;
  void assign(slot& s, std::uint16_t site) noexcept;
  void release_slow(slot& s) noexcept;
  void quarantine(slot& s) noexcept;
  void queue_up(slot& s) noexcept;
  void filter_quarantine() noexcept;
  void empty_idle_slots(slab& home) noexcept;
  bool unseal(slot& s) noexcept;
  static std::uint16_t uses_pending(const slot& s) noexcept {
    return static_cast<std::uint16_t>(s.period - s.countdown.load(std::memory_order_relaxed));
  }
  void settle(slot& s, bool seals = false) noexcept;
  void tell(slot& s) noexcept;
  std::byte* mark_of(slot& s, bool reads_all) const noexcept;
  void scrub(slot& s, std::byte* mark) const noexcept;
  static void trim(slot& s, std::size_t keep) noexcept;
  void start_period(slot& s) noexcept;
  static void start_period(slot& s, std::uint16_t period, slot_sampling sampled) noexcept;
  std::uint32_t draw_gap(std::uint32_t distance) noexcept;

  stack_geometry geometry_;
  stack_tier tier_ = stack_tier::automatic;
  bool tier_is_demanded_ = false;
  bool measure_ = true;
  stack_scrub scrub_ = stack_scrub::none;
  std::size_t stacks_max_ = 0;
  std::size_t stacks_opened_ = 0;
  std::size_t stacks_most_ = 0;  // maximum that were open at a time
  slab* slabs_ = nullptr;        // newest first; only the newest has slots to open
  std::uint16_t steal_cursor_ = 0;
  std::uint64_t random_ = 0x9E3779B97F4A7C15;  // chooses samples; the same in each run
  slab_owner owner_;
  site_table sites_;
  // FIFO; the head is the oldest.
  slot* quarantine_head_ = nullptr;
  slot* quarantine_tail_ = nullptr;
  std::size_t quarantine_size_ = 0;
};

}  // namespace bast::inline BAST_ABI
