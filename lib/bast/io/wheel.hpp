// SPDX-License-Identifier: Apache-2.0
//
// `wheel`: the timers of one worker, at 1 ns. It hands them out in exact order of their deadlines,
// those with equal deadlines in order of arming, and never early.
//
//   struct sleeper : timer { ... };
//   wheel timers(clock_ns());
//   timers.arm(mine, clock_ns() + 1'000'000);
//   while (timer* due = timers.advance(now_ns)) wake(static_cast<sleeper&>(*due));
//   sleep_until(timers.next_ns());
//
// A time is a number of 11 digits of 6 bits. The level of a timer is the highest digit in which its
// deadline differs from the time that the wheel has reached; that digit of the deadline selects the
// slot. So a slot of level n covers 64^n ns, and lies after the reached time:
//
//   digit     10   9  ...   2    1    0       slot
//   reached    0   0        7   12   50
//
//   level 10 [ .             |  1 .. 15 ]     2^60 ns
//   ...
//   level 2  [ . . . . . . . |  8 .. 63 ]     4096 ns     the timers of level 2 and slot 9 have
//   level 1  [ . . .         | 13 .. 63 ]       64 ns     deadlines 0 .. 0 9 x x
//   level 0  [ . . . . .     | 51 .. 63 ]        1 ns     equal deadlines
//              always empty     later ->
//
// All of a lower level is before all of a higher one, and a lower slot before a higher one. When
// the time enters a slot, its timers move down, front to back, each at most 10 times in its life.
//
//   I1  cursor_ns_, the reached time, is not after now_ns_; they are equal except during a round.
//   I2  A timer in a slot has a deadline after cursor_ns_, which alone with cursor_ns_ determines
//       the slot. So equal deadlines are in one list at every time, in order of arming.
//   I3  A bit of occupied_ is set exactly if its slot has a timer.
//   I4  earliest_ns of an occupied slot is a time of that slot, and not after any deadline in it:
//       the minimum over what was armed since the slot was empty. Removal leaves it unchanged.
//   I5  The deadlines in expired_ are not after cursor_ns_, those in due_ not after now_ns_.
//   I6  Every list is a ring through its own head.
#pragma once

#include <array>
#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::internal {

/// A place in a ring; null pointers outside of one.
struct timer_link {
  timer_link* next = nullptr;
  timer_link* previous = nullptr;
};

/// A node of the wheel, owned by its user: a base class of what is to be woken. It must not move,
/// and must be disarmed before it is destroyed.
class timer : timer_link {
 public:
  timer() = default;
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;
  ~timer() { BAST_ASSERT(next == nullptr); }

  /// The deadline given to the last arm().
  std::uint64_t at_ns() const noexcept { return at_ns_; }

 private:
  friend class wheel;
  std::uint64_t at_ns_ = 0;
};
static_assert(sizeof(timer) == 24, "it stands on the stack of each sleeping fiber");

/// Not thread-safe: one worker uses it. Allocates nothing, never fails, never suspends, and calls
/// no code of its user. All times are nanoseconds of one clock, from 0 to 2^64 - 1. About 17 KiB.
class wheel {
 public:
  explicit wheel(std::uint64_t now_ns = 0) noexcept;
  wheel(const wheel&) = delete;
  wheel& operator=(const wheel&) = delete;
  /// No timer may be armed.
  ~wheel() { BAST_ASSERT(empty()); }

  /// Arms a timer that is not armed. If is_due(at_ns), its deadline counts as now_ns(): it is
  /// handed out in the next round, after what was armed before. O(1).
  void arm(timer& armed, std::uint64_t at_ns) noexcept;
  /// Removes a timer, also one that the current round would still hand out. False if it was not
  /// armed: it has been handed out, or disarmed. The timer must not be armed in another wheel.
  /// O(1).
  bool disarm(timer& removed) noexcept;
  static bool armed(const timer& asked) noexcept { return asked.next != nullptr; }
  bool empty() const noexcept;

  /// The time of the latest round.
  std::uint64_t now_ns() const noexcept { return now_ns_; }
  bool is_due(std::uint64_t at_ns) const noexcept { return at_ns <= now_ns_; }

  /// Disarms and returns the next timer whose deadline is not after `now_ns`, or returns null: the
  /// round is over. Between two calls the caller may arm, disarm and destroy any timer. What it
  /// arms for a time that is already due waits for the next round, which begins after null, or
  /// with a later time: a timer that is armed again each time it is handed out does not keep a
  /// round at one time from ending. The time never goes back: with an earlier one than now_ns(),
  /// this returns null and does nothing. O(1) amortised: a timer is moved at most 10 times.
  timer* advance(std::uint64_t now_ns) noexcept;

  /// When to call advance() again: a lower bound of the earliest deadline, where one that has
  /// passed counts as now_ns(); 2^64 - 1 if no timer is armed. When a round is over and no timer is
  /// due, it is later than now_ns(). It is the earliest deadline itself unless a timer was
  /// disarmed: then a caller that sleeps until this may wake in vain, and advance() makes the bound
  /// exact. Visits no timer.
  std::uint64_t next_ns() const noexcept;

  /// Ends the process unless I1 to I6 hold. Visits everything; for tests.
  void check_invariants() const noexcept;

 private:
  static constexpr unsigned digit_bits = 6;
  static constexpr std::size_t slots_per_level = std::size_t{1} << digit_bits;
  static constexpr std::size_t levels = (64 + digit_bits - 1) / digit_bits;
  static constexpr std::size_t slots = levels * slots_per_level;

  struct slot {
    timer_link timers;  // first: the head's address is the slot's
    std::uint64_t earliest_ns = 0;
  };

  void place(timer& placed) noexcept;
  std::size_t first_slot() const noexcept;
  std::uint64_t start_of(std::size_t number) const noexcept;
  void open(std::size_t number) noexcept;
  void mark_empty(std::size_t number) noexcept;
  timer* take() noexcept;
  void check_slot(std::size_t number) const noexcept;

  std::uint64_t now_ns_;
  std::uint64_t cursor_ns_;
  timer_link expired_;  // of this round, in order
  timer_link due_;      // of the next round, in order of arming
  std::array<std::uint64_t, levels> occupied_{};
  std::array<slot, slots> slots_;
};

}  // namespace bast::inline BAST_ABI::internal
