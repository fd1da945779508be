// SPDX-License-Identifier: Apache-2.0
//
// Settling a stack between two users: measure, trim, scrub.
#include <algorithm>
#include <bit>
#include <cstring>

#include "bast/arch.hpp"
#include "bast/stack/mark.hpp"
#include "bast/stack/pool.hpp"

namespace bast::inline BAST_ABI {
namespace {

// Without marks and scrubbing, a stack only needs attention when its count of uses is full.
constexpr std::uint16_t period_unmeasured = UINT16_MAX;
// Repeated, an address that no x86-64 or aarch64 process can map.
constexpr int poison_byte = 0xfb;

}  // namespace

/// Uses until the next sample: the number of trials until the first success, each with probability
/// 1 / `distance`. This distribution is memoryless, so the gap may be drawn again at any time, and
/// no pattern in the program's behaviour correlates with the samples. Computed as an exponential
/// variate from the binary logarithm of a random number, approximated by its leading zeros and the
/// bits after them; its mean is 4 % too long.
std::uint32_t stack_pool::draw_gap(std::uint32_t distance) noexcept {
  random_ ^= random_ << 13;  // Marsaglia, "Xorshift RNGs" (2003)
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const int zeros = std::countl_zero(random_);
  // Fixed-point, in 65536ths.
  const std::uint64_t behind = (random_ << zeros << 1) >> 48;
  const std::uint64_t logarithm = (static_cast<std::uint64_t>(zeros + 1) << 16) - behind;
  constexpr std::uint64_t ln2 = 45426;
  return static_cast<std::uint32_t>((logarithm * ln2 >> 16) * distance >> 16);
}

/// Begins a period: one use that is a sample, or a group of uses without samples.
void stack_pool::start_period(slot& s) noexcept {
  if (scrub_ != stack_scrub::none || mitigation::quarantine_slots != 0)
    return start_period(s, 1, slot_sampling::yes);
  if (!measure_) return start_period(s, period_unmeasured, slot_sampling::no);
  const watch::site_entry& entry = sites_.entry_of(s.site);
  // Current uses were chosen already: each stack that the site holds counts for one.
  if (entry.samples + entry.held <= samples_in_full) return start_period(s, 1, slot_sampling::yes);
  const auto distance = std::clamp<std::uint64_t>(entry.uses / 32, distance_min, distance_max);
  const std::uint32_t gap = draw_gap(static_cast<std::uint32_t>(distance));
  if (gap == 0) return start_period(s, 1, slot_sampling::yes);
  start_period(s, static_cast<std::uint16_t>(std::min<std::uint32_t>(gap, UINT16_MAX)),
               slot_sampling::no);
}

void stack_pool::start_period(slot& s, std::uint16_t period, slot_sampling sampled) noexcept {
  s.period = period;
  s.sampled = sampled;
  s.countdown.store(period, std::memory_order_relaxed);
  s.grows.store(0, std::memory_order_relaxed);
}

/// Settles the uses since the last reading: count, measure, trim, scrub. If `seals`, closes the
/// stack instead, which discards its pages; if the kernel refuses that, it is scrubbed.
void stack_pool::settle(slot& s, bool seals) noexcept {
  const std::uint16_t left = s.countdown.load(std::memory_order_relaxed);
  const bool is_sample = s.sampled == slot_sampling::yes;
  watch::reading told{.uses = uses_pending(s),
                      .grows = s.grows.load(std::memory_order_relaxed),
                      .measured = measure_,
                      .is_sample = is_sample};
  // A group that ran to its end is followed by the sample that it counted down to. A group that a
  // growth or a query interrupted is not: the use after a deep use is not random.
  const bool sample_is_due = measure_ && !is_sample && left == 0 && told.grows == 0;
  arch::fiber_hooks::recycle(open_bounds_of(s));  // May be idle and inaccessible until here (I5).
  slab& home = slab::of(s);
  const bool looks = measure_ || scrub_ != stack_scrub::none;
  // Pages that are discarded need no exact mark if the kernel has swapped them out.
  std::byte* mark = looks ? mark_of(s, scrub_ == stack_scrub::zero_used && !seals) : s.top;
  told.depth = static_cast<std::size_t>(s.top - mark);
  if (!seals || !home.close_below(s, home.high(s))) {
    if (seals && looks) mark = mark_of(s, scrub_ == stack_scrub::zero_used);
    trim(s, geometry_.retain);
    if (looks) scrub(s, std::max(mark, home.open_low(s)));
  }
  watch::add(sites_.entry_of(s.site), told);
  if (sample_is_due) {
    start_period(s, 1, slot_sampling::yes);
  } else {
    start_period(s);
  }
}

/// Records the pending uses of a stack that is in use again, and leaves the stack unchanged. The
/// current use is read with them, and again at its end. The group continues, because its sample was
/// chosen before the query.
void stack_pool::tell(slot& s) noexcept {
  watch::reading told{.uses = uses_pending(s), .measured = measure_};
  if (measure_) {
    [[maybe_unused]] const arch::quiet_reading quiet{};
    told.depth = static_cast<std::size_t>(s.top - mark_of(s, false));
  }
  watch::add(sites_.entry_of(s.site), told);
  // The caller may run on this very stack, which may have grown until here. It does not grow below:
  // the calls above went deeper.
  s.period = s.countdown.load(std::memory_order_relaxed);
  s.sampled = slot_sampling::told;
}

/// The deepest byte used since the last scrub; its page if poison hides the bytes.
std::byte* stack_pool::mark_of(slot& s, bool reads_all) const noexcept {
  const slab& home = slab::of(s);
  std::byte* const low = home.open_low(s);
  std::byte* const top = s.top;
  const std::byte* from = low + (BAST_MUTANT(mark_one_page_short) ? home.geometry.page : 0);
  // zero_used guarantees that no byte survives, so it cannot rely on residency, which excludes
  // swapped pages: it reads them all.
  if (!reads_all) from = std::min<const std::byte*>(first_resident(low, top), top);
  const std::byte* const mark = scrub_ == stack_scrub::poison ? from : first_nonzero(from, top);
  return low + (mark - low);
}

void stack_pool::scrub(slot& s, std::byte* mark) const noexcept {
  if (BAST_MUTANT(scrub_one_word_short) && mark < s.top) mark += sizeof(void*);
  const auto used = static_cast<std::size_t>(s.top - mark);
  // Under `none` the used part is zeroed as well, which makes the next reading exact.
  std::memset(mark, scrub_ == stack_scrub::poison ? poison_byte : 0, used);
}

void stack_pool::trim(slot& s, std::size_t keep) noexcept {
  slab& home = slab::of(s);
  if (BAST_MUTANT(retained_not_trimmed)) return;
  if (home.open_bytes(s) > keep) (void)home.close_below(s, home.high(s) - keep);
}

}  // namespace bast::inline BAST_ABI
