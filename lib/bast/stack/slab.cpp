// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/slab.hpp"

#include <algorithm>
#include <new>

#include "bast/arch.hpp"
#include "bast/os.hpp"
#include "bast/stack/directory.hpp"

namespace bast::inline BAST_ABI {
namespace {

// Batches of about one page table amortise the mprotect that extends the open part.
constexpr std::size_t batch_bytes = directory_granule;

/// The number of slots in a reservation of `reserved` bytes, with a guard's width left at the end
/// (I2).
std::size_t slots_in(const stack_geometry& g, std::size_t reserved) noexcept {
  return reserved <= g.guard ? 0 : (reserved - g.guard) / g.stride;
}

std::size_t bytes_for(const stack_geometry& g, std::size_t slots) noexcept {
  return internal::round_up(slots * g.stride + g.guard, directory_granule);
}

/// Reserves the wanted address space, or half of it, and so on, as the kernel permits.
result<std::byte*> reserve_shrinking(const stack_geometry& g, std::size_t& slots) noexcept {
  for (;;) {
    auto base = os::reserve(bytes_for(g, slots), directory_granule);
    if (base || slots == 1) return base;
    slots /= 2;
  }
}

bool charge_both(slab_owner& owner, std::size_t size, slab::outcome& why) noexcept {
  if (!owner.budget.charge(size)) {
    why = slab::outcome::over_pool_budget;
    return false;
  }
  if (!process_stack_budget().charge(size)) {
    owner.budget.refund(size);
    why = slab::outcome::over_process_budget;
    return false;
  }
  return true;
}

void refund_both(slab_owner& owner, std::size_t size) noexcept {
  owner.budget.refund(size);
  process_stack_budget().refund(size);
}

}  // namespace

slot* slab::slot_at(std::uintptr_t address) noexcept {
  const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(base);
  const std::size_t at = offset / geometry.stride;
  return at < opened ? slots() + at : nullptr;
}

result<slab*> slab::create(const stack_geometry& geometry, stack_tier tier, bool tier_is_demanded,
                           std::size_t slots_wanted, slab_owner& owner) noexcept {
  BAST_ASSERT(slots_wanted > 0);
  BAST_ASSERT(tier != stack_tier::automatic);
  const auto base = reserve_shrinking(geometry, slots_wanted);
  if (!base) return std::unexpected(base.error());
  const std::size_t reserved = bytes_for(geometry, slots_wanted);
  const std::size_t capacity = slots_in(geometry, reserved);
  BAST_ASSERT(capacity >= slots_wanted);

  // Locked memory (mlockall) refuses markers; detect that before the first stack needs a guard.
  if (tier == stack_tier::guard_markers) {
    const auto guarded = os::install_guard(*base, geometry.guard);
    if (!guarded && (tier_is_demanded || guarded.error().kind() != errc::invalid)) {
      os::release(*base, reserved);
      return std::unexpected(guarded.error());
    }
    if (!guarded) tier = stack_tier::protection;
  }
  os::avoid_huge_pages(*base, reserved);

  const std::size_t recorded =
      internal::round_up(slots_offset + capacity * sizeof(slot), geometry.page);
  const auto records = os::map(recorded);
  if (!records) {
    os::release(*base, reserved);
    return std::unexpected(records.error());
  }
  auto* const made = new (*records) slab;
  made->geometry = geometry;
  made->tier = tier;
  made->capacity = static_cast<std::uint32_t>(capacity);
  made->base = *base;
  made->reserved = reserved;
  made->recorded = recorded;
  made->owner = &owner;
  if (const auto entered = directory_enter(*base, reserved, made); !entered) {
    os::release(*base, reserved);
    os::release(*records, recorded);
    return std::unexpected(entered.error());
  }
  made->enter_registry();
  if (tier == stack_tier::protection) arch::register_leak_root(made->base, made->reserved);
#if BAST_WITH_VALGRIND
  // Valgrind would treat memory as permanently inaccessible that was so when it was mapped.
  arch::fiber_hooks::recycle({made->base, made->reserved});
#endif
  return made;
}

void slab::enter_registry() noexcept {
  watch::refresh_code_ranges();         // Before one of its stacks can grow.
  if (owner->entry == nullptr) return;  // A reader could not find its pool.
  entry = watch::take_slab();
  if (entry == nullptr) return;
  entry->pool = watch::index_of(owner->entry);
  entry->tier = static_cast<std::uint32_t>(tier);
  entry->base = reinterpret_cast<std::uintptr_t>(base);
  entry->stride = geometry.stride;
  entry->guard = geometry.guard;
  entry->slots = reinterpret_cast<std::uintptr_t>(slots());
  watch::publish(*entry);
}

void slab::destroy(slab* dead) noexcept {
  watch::give(dead->entry);
  for (std::uint32_t i = 0; i < dead->opened; ++i) {
    const slot& s = dead->slots()[i];
    BAST_ASSERT(s.state != slot_state::live);
    refund_both(*dead->owner, dead->open_bytes(s));
    arch::fiber_hooks::recycle({dead->open_low(s), dead->open_bytes(s)});
#if BAST_WITH_VALGRIND
    arch::forget_stack(s.introduced_as);
#endif
  }
  if (dead->tier == stack_tier::protection) arch::unregister_leak_root(dead->base, dead->reserved);
  if (!BAST_MUTANT(directory_not_removed)) directory_remove(dead->base, dead->reserved);
  os::release(dead->base, dead->reserved);
  os::release(reinterpret_cast<std::byte*>(dead), dead->recorded);
}

result<std::size_t> slab::charge_batch(std::size_t count) noexcept {
  outcome why{};
  if (charge_both(*owner, count * geometry.window, why)) return count;
  // The budget may end inside a batch.
  if (count > 1 && charge_both(*owner, geometry.window, why)) return 1;
  return fail(errc::limit, "stack_pool.acquire",
              why == outcome::over_pool_budget
                  ? static_string("the pool's budget of open stack bytes is spent")
                  : static_string("the process's budget of open stack bytes is spent"));
}

result<std::size_t> slab::open_marked(std::byte* start, std::size_t count) noexcept {
  // I1: markers while the slots are still inaccessible, then access for the whole batch.
  for (std::size_t i = 0; i < count; ++i) {
    if (BAST_MUTANT(skipped_guard) && i % 2 != 0) continue;
    std::byte* low = start + i * geometry.stride;
    std::byte* const window = low + geometry.stride - geometry.window;
    if (BAST_MUTANT(guard_one_page_short)) low += geometry.page;
    const auto guarded = os::install_guard(low, static_cast<std::size_t>(window - low));
    if (guarded) continue;
    // Locked after the slab was made: it opens no more slots; the next slab uses mprotect.
    if (guarded.error().kind() == errc::invalid) sealed = true;
    return std::unexpected(guarded.error());
  }
  const auto opened_now = os::protect(start, count * geometry.stride, os::access::read_write);
  if (!opened_now) return std::unexpected(opened_now.error());
  return count;
}

result<std::size_t> slab::open_protected(std::byte* start, std::size_t count) const noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* const window = start + (i + 1) * geometry.stride - geometry.window;
    const auto opened_now = os::protect(window, geometry.window, os::access::read_write);
    if (opened_now) continue;
    if (i != 0) return i;  // vm.max_map_count reached: keep the slots opened so far.
    return std::unexpected(opened_now.error());
  }
  return count;
}

result<std::size_t> slab::open_batch(std::size_t most) noexcept {
  BAST_ASSERT(!full());
  BAST_ASSERT(most > 0);
  const std::size_t batch = std::max<std::size_t>(1, batch_bytes / geometry.stride);
  const auto charged = charge_batch(std::min({capacity - std::size_t{opened}, batch, most}));
  if (!charged) return charged;
  std::byte* const start = base + opened * geometry.stride;
  const auto done = tier == stack_tier::guard_markers ? open_marked(start, *charged)
                                                      : open_protected(start, *charged);
  refund_both(*owner, (*charged - done.value_or(0)) * geometry.window);
  if (!done) return done;
  const std::size_t closed_pages = geometry.pages() - geometry.window / geometry.page;
  for (std::size_t i = 0; i < *done; ++i) {
    slot* const s = new (slots() + opened + i) slot;
    s->index = static_cast<std::uint32_t>(opened + i);
    s->top = high(*s) - geometry.colour_of(s->index);
    s->frontier.store(static_cast<std::uint16_t>(closed_pages), std::memory_order_relaxed);
    s->state = slot_state::idle;
#if BAST_WITH_VALGRIND
    s->introduced_as = arch::introduce_stack({low(*s), geometry.stride});
#endif
  }
  opened += static_cast<std::uint32_t>(*done);
  if (entry != nullptr) watch::set_opened(*entry, opened);
  return done;
}

// The caller may run on the growing stack, near its open end: any call below may fault. The handler
// then opens, and charges, some or all of the requested range. So the frontier is read again
// afterwards. Opening an open range again has no effect; its double charge is refunded here.
slab::outcome slab::open_down_to(slot& s, std::byte* new_low) noexcept {
  BAST_ASSERT(new_low >= low(s) + geometry.guard);
  std::byte* const old_low = open_low(s);
  if (new_low >= old_low) return outcome::opened;
  const auto size = static_cast<std::size_t>(old_low - new_low);
  outcome why{};
  if (!charge_both(*owner, size, why)) return open_low(s) <= new_low ? outcome::opened : why;
  const bool leave_a_hole = BAST_MUTANT(hole_when_growing) && size > geometry.page;
  const std::size_t opened_size = leave_a_hole ? size - geometry.page : size;
  const auto opened_now = tier == stack_tier::guard_markers
                              ? os::remove_guard(new_low, opened_size)
                              : os::protect(new_low, opened_size, os::access::read_write);
  if (!opened_now) {
    refund_both(*owner, size);
    return open_low(s) <= new_low ? outcome::opened : outcome::refused;
  }
  // No fault is possible from here to the store: the system call above went deeper.
  std::byte* const now_low = open_low(s);
  if (now_low > new_low) {
    s.frontier.store(
        static_cast<std::uint16_t>(static_cast<std::size_t>(new_low - low(s)) / geometry.page),
        std::memory_order_relaxed);
  }
  refund_both(*owner, static_cast<std::size_t>(old_low - std::max(now_low, new_low)));
  return outcome::opened;
}

bool slab::close_below(slot& s, std::byte* new_low) noexcept {
  std::byte* const old_low = open_low(s);
  BAST_ASSERT(new_low > old_low);
  BAST_ASSERT(new_low <= high(s));
  const auto size = static_cast<std::size_t>(new_low - old_low);
  arch::fiber_hooks::recycle({old_low, size});  // Clears the marks before it is reopened.
  if (tier == stack_tier::guard_markers) {
    if (!os::install_guard(old_low, size)) return false;  // guards and discards in one call
  } else {
    // Discards first. The kernel refuses to discard locked memory, and content that was
    // inaccessible but not discarded would be readable after reopening (F-14).
    if (!os::discard(old_low, size)) return false;
    if (!os::protect(old_low, size, os::access::none)) return false;
  }
  s.frontier.store(
      static_cast<std::uint16_t>(static_cast<std::size_t>(new_low - low(s)) / geometry.page),
      std::memory_order_relaxed);
  if (!BAST_MUTANT(budget_leak)) refund_both(*owner, size);
  return true;
}

void slab::check_invariants() noexcept {
  BAST_CHECK(opened <= capacity, "slab");
  BAST_CHECK(directory_find(reinterpret_cast<std::uintptr_t>(base)) == this, "slab");
  std::size_t open = 0;
  for (std::uint32_t i = 0; i < opened; ++i) {
    const slot& s = slots()[i];
    BAST_CHECK(s.index == i, "slab: slot position");
    BAST_CHECK(s.top == high(s) - geometry.colour_of(i), "slab: slot position");
    BAST_CHECK(s.state != slot_state::unopened, "slab: I2");
    BAST_CHECK(open_low(s) >= low(s) + geometry.guard, "slab: the guard is never opened");
    BAST_CHECK(open_low(s) <= high(s), "slab: I3");
    open += open_bytes(s);
  }
  BAST_CHECK(owner->budget.open().count >= open, "slab: I4");
}

}  // namespace bast::inline BAST_ABI
