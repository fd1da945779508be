// SPDX-License-Identifier: Apache-2.0
//
// `stack_pool`: the stacks of one owner. Hands them out, takes them back, measures, scrubs, trims.
//
//   I1  A slot is in exactly one place: unopened in its slab, in one idle list, in the quarantine,
//       or live.
//   I2  An idle slot is open from its top to at most `retain` bytes below it, guarded below that.
//   I3  A slot returns to the idle list of the site that used it: a site that goes deep finds its
//       stacks as deep as they were. When a site has none, it takes one from another site, which is
//       then measured first.
//   I4  Under zero_used every byte of an idle slot is zero.
//   I5  Sanitizers that watch stacks know an idle slot as forbidden and a live one as its user's.
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
  std::size_t slots_opened = 0;  // ever used or ready for use
  std::size_t idle = 0;
  std::size_t live = 0;
  std::size_t quarantined = 0;
  std::size_t slabs = 0;
  bytes open;                            // what the budget is charged with
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

  /// Installs the growth handler and validates. `stacks_max` bounds the slots. Errors: `invalid`
  /// (which option), unsupported (tier), no_memory.
  /// `where` is the place in the source that made it, for the inspector.
  [[nodiscard]] result<void> init(const stack_options& options, std::size_t stacks_max,
                                  site_key where = {}) noexcept;

  /// From here on only what `running` names may grow, for the thread that it knows as `user`.
  /// Called again when the pool changes its thread. Without it, whoever runs on live stacks by
  /// means of its own is trusted: any thread may grow any of them.
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

  /// Takes a stack back. Nothing runs on it any more. Never fails.
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

  /// Gives back all that idle stacks hold: their pages, and whole slabs where nothing is live.
  /// Returns the bytes of address space unmapped. Never fails.
  bytes shrink() noexcept;

  /// Reads every stack that has uses pending. What is left of them on one that is in use again
  /// cannot be told from what runs there now: the maximum is then of both. Call before looking at
  /// `sites`. O(slots).
  void read_pending_marks() noexcept;
  const site_table& sites() const noexcept { return sites_; }

  /// Calls `f(slab&, slot&)` for every stack that was ever opened, live or not.
  template <class F>
  void for_each_stack(F f) {
    for (slab* home = slabs_; home != nullptr; home = home->next) {
      for (std::uint32_t i = 0; i < home->opened; ++i) f(*home, home->slots()[i]);
    }
  }

  /// Walks all slots: O(slots).
  stack_pool_stats stats() const noexcept;
  const stack_geometry& geometry() const noexcept { return geometry_; }
  stack_budget& budget() noexcept { return owner_.budget; }

  static arch::stack_bounds bounds_of(slot& s) noexcept {
    const slab& home = slab::of(s);
    const std::byte* const low = home.low(s) + home.geometry.guard;
    return {low, static_cast<std::size_t>(home.high(s) - low)};
  }

  /// The part of it that is open now: all that a user can have written, and all that a sanitizer
  /// can have marks on, as what is closed is cleared of them (slab::close_below).
  static arch::stack_bounds open_bounds_of(slot& s) noexcept {
    const slab& home = slab::of(s);
    return {home.open_low(s), home.open_bytes(s)};
  }

  /// Verifies I1 .. I4. O(bytes open). For tests and fuzzers.
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
  std::size_t stacks_most_ = 0;  // that were opened at a time
  slab* slabs_ = nullptr;        // newest first; only the newest has slots to open
  std::uint16_t steal_cursor_ = 0;
  std::uint64_t random_ = 0x9E3779B97F4A7C15;  // which uses are samples; the same in each run
  slab_owner owner_;
  site_table sites_;
  // FIFO; the head is the oldest.
  slot* quarantine_head_ = nullptr;
  slot* quarantine_tail_ = nullptr;
  std::size_t quarantine_size_ = 0;
};

}  // namespace bast::inline BAST_ABI
