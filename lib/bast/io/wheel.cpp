// SPDX-License-Identifier: Apache-2.0
#include "bast/io/wheel.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace bast::inline BAST_ABI::internal {

namespace {

bool is_empty(const timer_link& list) noexcept { return list.next == &list; }

void clear(timer_link& list) noexcept { list.next = list.previous = &list; }

void append(timer_link& list, timer_link& node) noexcept {
  node.next = &list;
  node.previous = list.previous;
  list.previous->next = &node;
  list.previous = &node;
}

void unlink(timer_link& node) noexcept {
  node.next->previous = node.previous;
  node.previous->next = node.next;
  node.next = node.previous = nullptr;
}

/// Moves all of `from` to the end of `to`.
void append_all(timer_link& to, timer_link& from) noexcept {
  if (is_empty(from)) return;
  from.next->previous = to.previous;
  to.previous->next = from.next;
  from.previous->next = &to;
  to.previous = from.previous;
  clear(from);
}

/// The node is in a ring, and its neighbours know it.
void check_link(const timer_link& node) noexcept {
  BAST_ASSERT(node.next != nullptr);          // I6
  BAST_ASSERT(node.previous != nullptr);      // I6
  BAST_ASSERT(node.next->previous == &node);  // I6
  BAST_ASSERT(node.previous->next == &node);  // I6
}

}  // namespace

wheel::wheel(std::uint64_t now_ns) noexcept : now_ns_(now_ns), cursor_ns_(now_ns) {
  static_assert(std::is_standard_layout_v<slot>, "disarm() casts a list's head to its slot");
  clear(expired_);
  clear(due_);
  for (slot& each : slots_) clear(each.timers);
}

void wheel::arm(timer& armed, std::uint64_t at_ns) noexcept {
  BAST_ASSERT(!wheel::armed(armed));
  armed.at_ns_ = at_ns;
  if (is_due(at_ns)) {
    append(due_, armed);
  } else {
    place(armed);
  }
}

bool wheel::disarm(timer& removed) noexcept {
  if (!armed(removed)) return false;
  timer_link* const next = removed.next;
  const bool was_last = next == removed.previous;  // Then both are the head. I6
  unlink(removed);
  if (was_last && next != &expired_ && next != &due_) {
    const slot* const emptied = reinterpret_cast<slot*>(next);
    BAST_ASSERT(emptied >= slots_.data());
    BAST_ASSERT(emptied < slots_.data() + slots);
    mark_empty(static_cast<std::size_t>(emptied - slots_.data()));
  }
  return true;
}

bool wheel::empty() const noexcept {
  return is_empty(expired_) && is_empty(due_) && first_slot() == slots;
}

timer* wheel::advance(std::uint64_t now_ns) noexcept {
  if (now_ns < now_ns_) return nullptr;
  timer* found = take();
  if (found != nullptr) return found;
  // The round of now_ns_ is over, and another begins. What was armed for a time that had passed
  // comes before whatever expires later.
  append_all(expired_, due_);
  if (now_ns == now_ns_) return nullptr;
  now_ns_ = now_ns;
  return take();
}

std::uint64_t wheel::next_ns() const noexcept {
  if (!is_empty(expired_) || !is_empty(due_)) return now_ns_;
  const std::size_t first = first_slot();
  return first == slots ? UINT64_MAX : slots_[first].earliest_ns;
}

/// The next of this round. Null: cursor_ns_ has reached now_ns_.
timer* wheel::take() noexcept {
  while (is_empty(expired_)) {
    const std::size_t first = first_slot();
    if (first == slots || start_of(first) > now_ns_) {
      // The times up to there are in no occupied slot, so no timer changes its slot. I2
      cursor_ns_ = now_ns_;
      return nullptr;
    }
    open(first);
  }
  auto& found = static_cast<timer&>(*expired_.next);
  BAST_ASSERT(found.at_ns_ <= now_ns_);  // never early
  unlink(found);
  return &found;
}

/// Moves the cursor into a slot, whose timers go to lower levels or expire. Not to the slot's start
/// but as far as no deadline is passed: a timer that is alone expires at once. Halves the cost of
/// handing out a hundred thousand (bench/timers.cpp).
void wheel::open(std::size_t number) noexcept {
  slot& opened = slots_[number];
  cursor_ns_ = std::min(opened.earliest_ns, now_ns_);
  BAST_ASSERT(cursor_ns_ >= start_of(number));  // I4
  timer_link* each = opened.timers.next;
  clear(opened.timers);
  mark_empty(number);
  while (each != &opened.timers) {
    timer_link* const next = each->next;
    place(static_cast<timer&>(*each));
    each = next;
  }
  BAST_ASSERT(is_empty(opened.timers));
}

/// Appends a timer where its deadline and the cursor say. I2
void wheel::place(timer& placed) noexcept {
  const std::uint64_t at = placed.at_ns_;
  BAST_ASSERT(at >= cursor_ns_);
  const std::uint64_t differs = at ^ cursor_ns_;
  if (differs == 0) {
    append(expired_, placed);
    return;
  }
  const unsigned level = (static_cast<unsigned>(std::bit_width(differs)) - 1) / digit_bits;
  const std::uint64_t index = at >> (level * digit_bits) & (slots_per_level - 1);
  const std::uint64_t bit = std::uint64_t{1} << index;
  slot& chosen = slots_[level * slots_per_level + index];
  const bool is_first = (occupied_[level] & bit) == 0;
  chosen.earliest_ns = is_first ? at : std::min(chosen.earliest_ns, at);  // I4
  occupied_[level] |= bit;                                                // I3
  append(BAST_MUTANT(equal_timers_reversed) ? *chosen.timers.next : chosen.timers, placed);
}

void wheel::mark_empty(std::size_t number) noexcept {
  occupied_[number / slots_per_level] &= ~(std::uint64_t{1} << number % slots_per_level);  // I3
}

/// The occupied slot with the earliest times, or `slots`.
std::size_t wheel::first_slot() const noexcept {
  for (std::size_t level = 0; level < levels; ++level) {
    if (occupied_[level] != 0) {
      return level * slots_per_level + static_cast<std::size_t>(std::countr_zero(occupied_[level]));
    }
  }
  return slots;
}

/// The first time of a slot: the cursor's higher digits, the slot's, and zeros.
std::uint64_t wheel::start_of(std::size_t number) const noexcept {
  const unsigned shift = static_cast<unsigned>(number / slots_per_level) * digit_bits;
  // In two steps: 66 bits, those above the highest level, are too many for one.
  const std::uint64_t higher = cursor_ns_ >> shift >> digit_bits << digit_bits;
  return (higher | number % slots_per_level) << shift;
}

void wheel::check_slot(std::size_t number) const noexcept {
  const slot& checked = slots_[number];
  const std::size_t level = number / slots_per_level;
  const std::uint64_t bit = std::uint64_t{1} << number % slots_per_level;
  check_link(checked.timers);
  BAST_ASSERT(is_empty(checked.timers) == ((occupied_[level] & bit) == 0));  // I3
  if (is_empty(checked.timers)) return;
  const std::uint64_t start = start_of(number);
  // 64^level times: no sum, which could be 2^64.
  const std::uint64_t last = start | ((std::uint64_t{1} << level * digit_bits) - 1);
  BAST_ASSERT(start > cursor_ns_);            // I2
  BAST_ASSERT(checked.earliest_ns >= start);  // I4
  for (const timer_link* each = checked.timers.next; each != &checked.timers; each = each->next) {
    check_link(*each);
    const std::uint64_t at = static_cast<const timer*>(each)->at_ns_;
    BAST_ASSERT(at >= start);                // I2
    BAST_ASSERT(at <= last);                 // I2
    BAST_ASSERT(at >= checked.earliest_ns);  // I4
  }
}

void wheel::check_invariants() const noexcept {
  BAST_ASSERT(cursor_ns_ <= now_ns_);  // I1
  for (std::size_t number = 0; number < slots; ++number) check_slot(number);
  check_link(expired_);
  for (const timer_link* each = expired_.next; each != &expired_; each = each->next) {
    check_link(*each);
    BAST_ASSERT(static_cast<const timer*>(each)->at_ns_ <= cursor_ns_);  // I5
  }
  check_link(due_);
  for (const timer_link* each = due_.next; each != &due_; each = each->next) {
    check_link(*each);
    BAST_ASSERT(static_cast<const timer*>(each)->at_ns_ <= now_ns_);  // I5
  }
}

}  // namespace bast::inline BAST_ABI::internal
