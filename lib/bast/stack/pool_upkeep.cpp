// SPDX-License-Identifier: Apache-2.0
//
// Operations on a pool as a whole: shrinking, statistics, invariants.
#include <algorithm>

#include "bast/os.hpp"
#include "bast/stack/mark.hpp"
#include "bast/stack/pool.hpp"

namespace bast::inline BAST_ABI {

void stack_pool::read_pending_marks() noexcept {
  for_each_stack([this](slab&, slot& s) {
    if (uses_pending(s) == 0) return;
    if (s.state == slot_state::idle) {
      settle(s);
      revoke(s);
    } else if (!BAST_MUTANT(pending_lost_while_live)) {
      tell(s);
    }
  });
}

bytes stack_pool::shrink() noexcept {
  read_pending_marks();
  for (std::uint16_t i = 0; i < sites_.size(); ++i) sites_[i].idle = nullptr;

  slab* dead = nullptr;
  slab** link = &slabs_;
  while (*link != nullptr) {
    slab* const home = *link;
    slot* const slots = home->slots();
    const bool in_use = std::any_of(slots, slots + home->opened,
                                    [](const slot& s) { return s.state == slot_state::live; });
    if (in_use) {
      empty_idle_slots(*home);
      link = &home->next;
      continue;
    }
    // Removed from the quarantine first, then unmapped.
    std::for_each(slots, slots + home->opened, [this](slot& s) {
      s.state = slot_state::unopened;
      if (s.site != 0) watch::let_go(sites_.entry_of(s.site));
    });
    *link = home->next;
    home->next = dead;
    dead = home;
  }
  filter_quarantine();

  std::size_t unmapped = 0;
  while (dead != nullptr) {
    slab* const home = dead;
    dead = home->next;
    stacks_opened_ -= home->opened;
    unmapped += home->reserved;
    slab::destroy(home);
  }
  return {unmapped};
}

/// Releases the memory of the idle slots of `home` and lists them again, the lowest first.
void stack_pool::empty_idle_slots(slab& home) noexcept {
  for (std::uint32_t i = home.opened; i-- > 0;) {
    slot& s = home.slots()[i];
    if (s.state != slot_state::idle) continue;
    trim(s, geometry_.window);
    (void)os::discard(home.open_low(s), home.open_bytes(s));
    put_back(s);
  }
}

stack_pool_stats stack_pool::stats() const noexcept {
  stack_pool_stats all;
  for (slab* home = slabs_; home != nullptr; home = home->next) {
    ++all.slabs;
    all.reserved = all.reserved + bytes{home->reserved};
    all.slots_opened += home->opened;
    (home->tier == stack_tier::guard_markers ? all.stacks_guard_markers : all.stacks_protection) +=
        home->opened;
    for (std::uint32_t i = 0; i < home->opened; ++i) {
      switch (home->slots()[i].state) {
        case slot_state::idle: ++all.idle; break;
        case slot_state::live: ++all.live; break;
        case slot_state::quarantined: ++all.quarantined; break;
        case slot_state::unopened: break;
      }
    }
  }
  all.open = owner_.budget.open();
  return all;
}

void stack_pool::check_invariants() noexcept {
  std::size_t listed = 0;
  for (std::uint16_t i = 0; i < sites_.size(); ++i) {
    for (slot* s = sites_[i].idle; s != nullptr; s = s->next) {
      const slab& home = slab::of(*s);
      BAST_CHECK(s->state == slot_state::idle, "stack_pool: I1");
      BAST_CHECK(s->site == i, "stack_pool: I3");
      if (scrub_ == stack_scrub::zero_used) {
        arch::fiber_hooks::recycle(open_bounds_of(*s));
        const std::byte* const low = first_resident(home.open_low(*s), home.high(*s));
        BAST_CHECK(first_nonzero(low, home.high(*s)) == home.high(*s), "stack_pool: I4");
        revoke(*s);
      }
      ++listed;
    }
  }
  std::size_t quarantined = 0;
  for (slot* s = quarantine_head_; s != nullptr; s = s->next) {
    BAST_CHECK(s->state == slot_state::quarantined, "stack_pool: I1");
    ++quarantined;
  }
  const stack_pool_stats all = stats();
  BAST_CHECK(listed == all.idle, "stack_pool: I1");
  BAST_CHECK(quarantined == all.quarantined, "stack_pool: I1");
  BAST_CHECK(quarantined == quarantine_size_, "stack_pool: I1");
  BAST_CHECK(all.slots_opened == stacks_opened_, "stack_pool: I1");
  std::uint64_t held = 0;
  for (std::uint16_t i = 0; i < sites_.size(); ++i) held += sites_.entry_of(i).held;
  for (slab* home = slabs_; home != nullptr; home = home->next) {
    home->check_invariants();
    for (std::uint32_t i = 0; i < home->opened; ++i) {
      const slot& s = home->slots()[i];
      BAST_CHECK(s.countdown.load() <= s.period, "stack_pool: uses pending");
      BAST_CHECK(s.state != slot_state::live || s.countdown.load() != 0,
                 "stack_pool: uses pending");
      BAST_CHECK(s.sampled != slot_sampling::yes || s.period == 1,
                 "stack_pool: a sample is one use");
      held -= s.site != 0 ? 1U : 0U;
    }
  }
  BAST_CHECK(held == 0, "stack_pool: every stack is held by its site");
}

}  // namespace bast::inline BAST_ABI
