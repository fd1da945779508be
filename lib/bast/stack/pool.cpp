// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/pool.hpp"

#include <algorithm>
#include <utility>

#include "bast/os.hpp"
#include "bast/stack/fault.hpp"
#include "bast/stack/tier.hpp"

namespace bast::inline BAST_ABI {
namespace {

// The first slab is small, later ones triple the total: a handful of mappings for a million stacks.
constexpr std::size_t slab_slots_first = 8;
// The maximum of one reservation; bounds page-table work and the loss at ENOMEM.
constexpr std::size_t slab_bytes_max = std::size_t{64} << 30;
// The number of other sites that acquire searches before it opens a fresh stack.
constexpr std::uint16_t sites_to_try_first = 16;
constexpr std::uint16_t all_sites = site_table::sites_max;

/// Describes our records to a reader of the registry.
watch::slot_layout layout_of_slots() noexcept {
  watch::slot_layout layout{};
  layout.record_bytes = sizeof(slot);
  layout.name = offsetof(slot, name);
  layout.top = offsetof(slot, top);
  layout.site = offsetof(slot, site);
  layout.countdown = offsetof(slot, countdown);
  layout.period = offsetof(slot, period);
  layout.grows = offsetof(slot, grows);
  layout.frontier = offsetof(slot, frontier);
  layout.state = offsetof(slot, state);
  layout.sampled = offsetof(slot, sampled);
  return layout;
}
static_assert(static_cast<int>(slot_state::live) == static_cast<int>(watch::slot_state::live));
static_assert(static_cast<int>(slot_state::quarantined) ==
              static_cast<int>(watch::slot_state::quarantined));
static_assert(static_cast<int>(slot_sampling::yes) == static_cast<int>(watch::slot_sampling::yes));
static_assert(static_cast<int>(slot_sampling::told) ==
              static_cast<int>(watch::slot_sampling::told));

}  // namespace

stack_pool::~stack_pool() {
  if (!BAST_MUTANT(pending_lost_at_death))
    read_pending_marks();  // So that the registry keeps every depth.
  while (slabs_ != nullptr) {
    slab* const dead = slabs_;
    slabs_ = dead->next;
    slab::destroy(dead);
  }
  sites_.end_with(watch::close(owner_.entry, stacks_most_));
}

result<void> stack_pool::init(const stack_options& options, std::size_t stacks_max,
                              site_key where) noexcept {
  if (auto opened = watch::open_registry(); !opened) return opened;
  const auto geometry = stack_geometry::make(options);
  if (!geometry) return std::unexpected(geometry.error());
  const auto tier = resolve_tier(options.tier);
  if (!tier) return std::unexpected(tier.error());
  if (auto installed = install_growth_handler(); !installed) return installed;
  geometry_ = *geometry;
  tier_ = *tier;
  tier_is_demanded_ = options.tier == stack_tier::guard_markers;
  measure_ = options.measure;
  scrub_ = options.scrub;
  stacks_max_ = stacks_max;
  owner_.budget.set_limit(options.budget);
  owner_.sites = &sites_;
  enter_registry(options, where);
  auto ready = sites_.init(owner_.entry);
  // Readers must not see a pool that failed; a second init takes another entry.
  if (!ready) watch::give(std::exchange(owner_.entry, nullptr));
  return ready;
}

void stack_pool::enter_registry(const stack_options& options, site_key where) noexcept {
  watch::describe(layout_of_slots());
  watch::pool_entry* const entry = watch::take_pool();
  if (entry == nullptr) return;
  entry->owner_thread = os::thread_id();
  entry->limit = geometry_.limit();
  entry->guard = geometry_.guard;
  entry->window = geometry_.window;
  entry->retain = geometry_.retain;
  entry->budget = options.budget.count;
  entry->scrub = static_cast<std::uint8_t>(options.scrub);
  entry->growth = static_cast<std::uint8_t>(options.growth);
  entry->measured = options.measure ? 1 : 0;
  if (where.where != nullptr) {
    text place;
    where.describe(place);
    watch::write_end_of(entry->where, place.view());
  }
  watch::publish(*entry);
  owner_.entry = entry;
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

/// Assigns `s` to `site`; its earlier uses are measured first (I3).
void stack_pool::assign(slot& s, std::uint16_t site) noexcept {
  if (uses_pending(s) != 0) settle(s);
  // Fresh stacks belong to no site: they wait at site 0.
  if (s.site != 0) watch::let_go(sites_.entry_of(s.site));
  if (site != 0) watch::hold(sites_.entry_of(site));
  s.site = site;
  start_period(s);
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
    if (!opened && slabs_->sealed) continue;  // Memory was locked: the next slab uses mprotect.
    if (!opened) return std::unexpected(opened.error());
    stacks_opened_ += *opened;
    stacks_most_ = std::max(stacks_most_, stacks_opened_);
    // Backwards, so that the lowest is used first.
    for (std::size_t i = 0; i < *opened; ++i) {
      slot& fresh = slabs_->slots()[slabs_->opened - 1 - i];
      start_period(fresh);  // A user without a site takes it unchanged.
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
  // Sealing is best effort: a slot that the kernel refuses to close is quarantined nevertheless,
  // scrubbed.
  settle(s, mitigation::quarantine_slots != 0 && mitigation::seal_quarantined);
  if constexpr (mitigation::quarantine_slots != 0) {
    quarantine(s);
  } else {
    put_back(s);
  }
}

void stack_pool::quarantine(slot& s) noexcept {
  s.state = slot_state::quarantined;
  revoke(s);
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

/// Drops slots that are no longer quarantined; the others keep their order.
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

/// False if the kernel or a budget refuses to reopen the window; the slot stays sealed.
bool stack_pool::unseal(slot& s) noexcept {
  slab& home = slab::of(s);
  std::byte* const window = home.high(s) - home.geometry.window;
  if (home.open_low(s) <= window) return true;
  return home.open_down_to(s, window) == slab::outcome::opened;
}

}  // namespace bast::inline BAST_ABI
