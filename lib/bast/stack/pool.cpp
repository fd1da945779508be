// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/pool.hpp"

#include <algorithm>
#include <cstring>

#include "bast/os.hpp"
#include "bast/stack/fault.hpp"
#include "bast/stack/mark.hpp"
#include "bast/stack/tier.hpp"

namespace bast {
namespace {

// The first slab is small, later ones triple what there is: a handful of mappings for a million.
constexpr std::size_t slab_slots_first = 8;
// One reservation at most; keeps page-table work and the loss at ENOMEM bounded.
constexpr std::size_t slab_bytes_max = std::size_t{64} << 30;
// How many other sites an acquire looks at before it opens a fresh stack instead.
constexpr std::uint16_t sites_to_try_first = 16;
constexpr std::uint16_t all_sites = site_table::sites_max;
// With marks off and no scrubbing nothing has to look at a stack but the count of its uses.
constexpr std::uint16_t period_unmeasured = UINT16_MAX;
// Repeated, an address that no x86-64 or aarch64 process can map.
constexpr int poison_byte = 0xfb;

}  // namespace

stack_pool::~stack_pool() {
  while (slabs_ != nullptr) {
    slab* const dead = slabs_;
    slabs_ = dead->next;
    slab::destroy(dead);
  }
}

result<void> stack_pool::init(const stack_options& options, std::size_t stacks_max) noexcept {
  const auto geometry = stack_geometry::make(options);
  if (!geometry) return std::unexpected(geometry.error());
  const auto tier = resolve_tier(options.tier);
  if (!tier) return std::unexpected(tier.error());
  if (auto installed = install_growth_handler(); !installed) return installed;
  if (auto ready = sites_.init(); !ready) return ready;
  geometry_ = *geometry;
  tier_ = *tier;
  tier_is_demanded_ = options.tier == stack_tier::guard_markers;
  measure_ = options.measure;
  scrub_ = options.scrub;
  stacks_max_ = stacks_max;
  owner_.budget.set_limit(options.budget);
  owner_.sites = &sites_;
  return {};
}

// --- acquire -------------------------------------------------------------------------------------

result<slot*> stack_pool::acquire_slow(std::uint16_t site, const char* name) noexcept {
  slot* s = take_from_another_site(sites_to_try_first);
  result<void> opened;
  if (s == nullptr) {
    if (sites_[0].idle == nullptr) opened = open_more();
    s = sites_[0].idle;
    if (s != nullptr) sites_[0].idle = s->next;
  }
  if (s == nullptr) s = take_from_another_site(all_sites);
  if (s == nullptr) s = take_from_quarantine();
  if (s == nullptr) return std::unexpected(opened.error());
  assign(*s, site);
  take(*s, name);
  return s;
}

slot* stack_pool::take_from_another_site(std::uint16_t sites_to_try) noexcept {
  const std::uint16_t tries = std::min(sites_to_try, sites_.size());
  for (std::uint16_t i = 0; i < tries; ++i) {
    steal_cursor_ = static_cast<std::uint16_t>((steal_cursor_ + 1) % sites_.size());
    if (steal_cursor_ == 0) continue;  // Record 0 holds the fresh ones.
    site_head& head = sites_[steal_cursor_];
    if (head.idle == nullptr) continue;
    slot* const s = head.idle;
    head.idle = s->next;
    return s;
  }
  return nullptr;
}

/// Gives `s` to `site`; what it was used for until now is measured first (I3).
void stack_pool::assign(slot& s, std::uint16_t site) noexcept {
  if (s.period != s.countdown.load(std::memory_order_relaxed)) settle(s);
  s.site = site;
  start_period(s, next_period(site));
}

result<void> stack_pool::open_more() noexcept {
  for (;;) {
    if (stacks_opened_ >= stacks_max_) {
      return fail(errc::limit, "stack_pool.acquire", "the pool has its maximum of stacks",
                  static_cast<std::int64_t>(stacks_max_));
    }
    if (slabs_ == nullptr || slabs_->full()) {
      if (auto added = add_slab(); !added) return added;
    }
    const auto opened = slabs_->open_batch(stacks_max_ - stacks_opened_);
    if (!opened && slabs_->sealed) continue;  // Memory got locked: the next slab uses mprotect.
    if (!opened) return std::unexpected(opened.error());
    stacks_opened_ += *opened;
    // Backwards, so that the lowest is used first.
    for (std::size_t i = 0; i < *opened; ++i) {
      slot& fresh = slabs_->slots()[slabs_->opened - 1 - i];
      start_period(fresh, next_period(0));  // A user without a site takes it as it is.
      put_back(fresh);
    }
    return {};
  }
}

result<void> stack_pool::add_slab() noexcept {
  std::size_t wanted = std::max(slab_slots_first, 3 * stacks_opened_);
  wanted = std::min({wanted, stacks_max_ - stacks_opened_,
                     std::max<std::size_t>(1, slab_bytes_max / geometry_.stride)});
  const auto made = slab::create(geometry_, tier_, tier_is_demanded_, wanted, owner_);
  if (!made) return std::unexpected(made.error());
  (*made)->next = slabs_;
  slabs_ = *made;
  return {};
}

result<void> stack_pool::reserve(std::size_t count) noexcept {
  while (stacks_opened_ < count) {
    if (auto opened = open_more(); !opened) return opened;
  }
  return {};
}

// --- release -------------------------------------------------------------------------------------

void stack_pool::release_slow(slot& s) noexcept {
  settle(s);
  if constexpr (mitigation::quarantine_slots != 0) {
    quarantine(s);
  } else {
    put_back(s);
  }
}

void stack_pool::quarantine(slot& s) noexcept {
  s.state = slot_state::quarantined;
  // Sealing is best effort: a slot that the kernel refuses to close still waits its turn, scrubbed.
  slab& home = slab::of(s);
  if (mitigation::seal_quarantined) (void)home.close_below(s, home.high(s));
  queue_up(s);
  if (quarantine_size_ <= mitigation::quarantine_slots) return;
  slot* const oldest = take_from_quarantine();
  if (oldest != nullptr) put_back(*oldest);
}

void stack_pool::queue_up(slot& s) noexcept {
  s.next = nullptr;
  (quarantine_tail_ == nullptr ? quarantine_head_ : quarantine_tail_->next) = &s;
  quarantine_tail_ = &s;
  ++quarantine_size_;
}

/// Forgets what is no longer quarantined; the rest keeps its order.
void stack_pool::filter_quarantine() noexcept {
  slot* s = quarantine_head_;
  quarantine_head_ = quarantine_tail_ = nullptr;
  quarantine_size_ = 0;
  while (s != nullptr) {
    slot* const next = s->next;
    if (s->state == slot_state::quarantined) queue_up(*s);
    s = next;
  }
}

slot* stack_pool::take_from_quarantine() noexcept {
  slot* const s = quarantine_head_;
  if (s == nullptr || !unseal(*s)) return nullptr;
  quarantine_head_ = s->next;
  if (quarantine_head_ == nullptr) quarantine_tail_ = nullptr;
  --quarantine_size_;
  s->state = slot_state::idle;
  return s;
}

/// False when the kernel or a budget refuses to open the window again; the slot stays sealed.
bool stack_pool::unseal(slot& s) noexcept {
  slab& home = slab::of(s);
  std::byte* const window = home.high(s) - home.geometry.window;
  if (home.open_low(s) <= window) return true;
  return home.open_down_to(s, window) == slab::outcome::opened;
}

std::uint16_t stack_pool::next_period(std::uint16_t site) const noexcept {
  if (scrub_ != stack_scrub::none || mitigation::quarantine_slots != 0) return 1;
  if (!measure_) return period_unmeasured;
  return sites_.record(site).depths.count() < samples_in_full ? 1 : uses_between_samples;
}

void stack_pool::start_period(slot& s, std::uint16_t period) noexcept {
  s.period = period;
  s.sampled = period == 1;
  s.countdown.store(period, std::memory_order_relaxed);
  s.grows.store(0, std::memory_order_relaxed);
}

/// Closes the books on the uses since the last reading: count, measure, trim, scrub.
void stack_pool::settle(slot& s) noexcept {
  site_record& record = sites_.record(s.site);
  const auto uses =
      static_cast<std::uint16_t>(s.period - s.countdown.load(std::memory_order_relaxed));
  sites_[s.site].uses += uses;
  record.grows += s.grows.load(std::memory_order_relaxed);
  if (measure_ || scrub_ != stack_scrub::none) {
    slab& home = slab::of(s);
    std::byte* const mark = mark_of(s);
    const auto depth = static_cast<std::size_t>(s.top - mark);
    if (measure_) s.sampled ? record.depths.add(depth) : record.depths.raise_max(depth);
    trim(s, geometry_.retain);
    scrub(s, std::max(mark, home.open_low(s)));
  } else {
    trim(s, geometry_.retain);
  }
  // After a group of uses comes a sample: chosen now, whatever it will be like.
  start_period(s, s.sampled || !measure_ ? next_period(s.site) : 1);
}

/// The deepest byte used since the last scrub; to the page where poison hides the bytes.
std::byte* stack_pool::mark_of(slot& s) const noexcept {
  slab& home = slab::of(s);
  std::byte* const low = home.open_low(s);
  std::byte* const top = s.top;
  const std::byte* from = low;
  // zero_used promises that nothing survives, so it may not trust what the kernel says of pages
  // that were swapped out: it reads them all.
  if (scrub_ != stack_scrub::zero_used)
    from = std::min<const std::byte*>(first_resident(low, top), top);
  const std::byte* const mark = scrub_ == stack_scrub::poison ? from : first_nonzero(from, top);
  return low + (mark - low);
}

void stack_pool::scrub(slot& s, std::byte* mark) const noexcept {
  const auto used = static_cast<std::size_t>(s.top - mark);
  // Under `none` the used part is zeroed as well: that is what makes the next reading exact.
  std::memset(mark, scrub_ == stack_scrub::poison ? poison_byte : 0, used);
}

void stack_pool::trim(slot& s, std::size_t keep) noexcept {
  slab& home = slab::of(s);
  if (home.open_bytes(s) > keep) (void)home.close_below(s, home.high(s) - keep);
}

// --- upkeep --------------------------------------------------------------------------------------

void stack_pool::read_pending_marks() noexcept {
  for (std::uint16_t i = 0; i < sites_.size(); ++i) {
    for (slot* s = sites_[i].idle; s != nullptr; s = s->next) {
      if (s->period != s->countdown.load(std::memory_order_relaxed)) settle(*s);
    }
  }
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
    // Out of the quarantine first, then unmapped.
    std::for_each(slots, slots + home->opened, [](slot& s) { s.state = slot_state::unopened; });
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

/// Gives back what the idle slots of `home` hold and lists them again, the lowest first.
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
      slab& home = slab::of(*s);
      BAST_CHECK(s->state == slot_state::idle, "stack_pool: I1");
      BAST_CHECK(s->site == i, "stack_pool: I3");
      BAST_CHECK(s->countdown.load() <= s->period, "stack_pool: uses pending");
      if (scrub_ == stack_scrub::zero_used) {
        const std::byte* const low = first_resident(home.open_low(*s), home.high(*s));
        BAST_CHECK(first_nonzero(low, home.high(*s)) == home.high(*s), "stack_pool: I4");
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
  for (slab* home = slabs_; home != nullptr; home = home->next) home->check_invariants();
}

}  // namespace bast
