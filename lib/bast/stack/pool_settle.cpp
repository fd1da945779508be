// SPDX-License-Identifier: Apache-2.0
//
// What happens to a stack between two users: it is measured, trimmed and scrubbed.
#include <algorithm>
#include <cstring>

#include "bast/arch.hpp"
#include "bast/stack/mark.hpp"
#include "bast/stack/pool.hpp"

namespace bast {
namespace {

// With marks off and no scrubbing nothing has to look at a stack but the count of its uses.
constexpr std::uint16_t period_unmeasured = UINT16_MAX;
// Repeated, an address that no x86-64 or aarch64 process can map.
constexpr int poison_byte = 0xfb;

}  // namespace

std::uint16_t stack_pool::next_period(std::uint16_t site) const noexcept {
  if (scrub_ != stack_scrub::none || mitigation::quarantine_slots != 0) return 1;
  if (!measure_) return period_unmeasured;
  return sites_.entry_of(site).samples < samples_in_full ? 1 : uses_between_samples;
}

void stack_pool::start_period(slot& s, std::uint16_t period) noexcept {
  s.period = period;
  s.sampled = period == 1;
  s.countdown.store(period, std::memory_order_relaxed);
  s.grows.store(0, std::memory_order_relaxed);
}

/// Closes the books on the uses since the last reading: count, measure, trim, scrub.
void stack_pool::settle(slot& s) noexcept {
  const auto uses =
      static_cast<std::uint16_t>(s.period - s.countdown.load(std::memory_order_relaxed));
  watch::reading told{.uses = uses,
                      .grows = s.grows.load(std::memory_order_relaxed),
                      .measured = measure_,
                      .is_sample = s.sampled};
  arch::fiber_hooks::recycle(open_bounds_of(s));  // It may be idle and forbidden until here (I5).
  if (measure_ || scrub_ != stack_scrub::none) {
    const slab& home = slab::of(s);
    std::byte* const mark = mark_of(s);
    told.depth = static_cast<std::size_t>(s.top - mark);
    trim(s, geometry_.retain);
    scrub(s, std::max(mark, home.open_low(s)));
  } else {
    trim(s, geometry_.retain);
  }
  watch::add(sites_.entry_of(s.site), told);
  // After a group of uses comes a sample: chosen now, whatever it will be like.
  start_period(s, s.sampled || !measure_ ? next_period(s.site) : 1);
}

/// The deepest byte used since the last scrub; to the page where poison hides the bytes.
std::byte* stack_pool::mark_of(slot& s) const noexcept {
  const slab& home = slab::of(s);
  std::byte* const low = home.open_low(s);
  std::byte* const top = s.top;
  const std::byte* from = low + (BAST_MUTANT(mark_one_page_short) ? home.geometry.page : 0);
  // zero_used promises that nothing survives, so it may not trust what the kernel says of pages
  // that were swapped out: it reads them all.
  if (scrub_ != stack_scrub::zero_used)
    from = std::min<const std::byte*>(first_resident(low, top), top);
  const std::byte* const mark = scrub_ == stack_scrub::poison ? from : first_nonzero(from, top);
  return low + (mark - low);
}

void stack_pool::scrub(slot& s, std::byte* mark) const noexcept {
  if (BAST_MUTANT(scrub_one_word_short) && mark < s.top) mark += sizeof(void*);
  const auto used = static_cast<std::size_t>(s.top - mark);
  // Under `none` the used part is zeroed as well: that is what makes the next reading exact.
  std::memset(mark, scrub_ == stack_scrub::poison ? poison_byte : 0, used);
}

void stack_pool::trim(slot& s, std::size_t keep) noexcept {
  slab& home = slab::of(s);
  if (BAST_MUTANT(retained_not_trimmed)) return;
  if (home.open_bytes(s) > keep) (void)home.close_below(s, home.high(s) - keep);
}

}  // namespace bast
