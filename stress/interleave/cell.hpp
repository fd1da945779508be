// SPDX-License-Identifier: Apache-2.0
//
// `cell`: the checker's record of a shared object, without its value: its last uses, by vector
// clocks. Two uses of plain data, one of them a write, race unless one happens before the other; so
// do an object's construction and destruction with any use.
//
// Outside a schedule nothing is checked and a cell is inert.
#pragma once

#include <cstdint>

#include "interleave/clock.hpp"
#include "interleave/history.hpp"
#include "interleave/trace.hpp"

namespace bast::interleave::internal {

class machine;

/// One thread's last use of an object.
struct use {
  std::uint32_t at = 0;  // of that thread's own clock; 0: none
  place where;
};

class cell {
 public:
  cell(const cell&) = delete;
  cell& operator=(const cell&) = delete;
  void set_name(const char* name) noexcept { label_.name = name; }
  const label& name() const noexcept { return label_; }

 protected:
  cell(const char* kind, const place& where);
  ~cell();

  /// The running schedule's machine if there is something to watch. Fails the schedule if this
  /// object is not alive in it.
  machine* watching(const access& a) const;
  /// Checks a use against all uses that exclude it, and records it.
  void used(machine& m, const access& a, bool exclusive) const;

  label label_;

 private:
  void conflict(machine& m, const access& a, unsigned thread, const use& other,
                bool other_writes) const;

  std::uint64_t schedule_ = 0;  // of its lifetime; 0: none
  mutable std::uint8_t writer_ = 0;
  mutable use written_;  // For an atomic: its construction.
  mutable use shared_[threads_max];
};

/// An access of an atomic may switch, then takes effect at once: it picks a store to read, or a
/// place for its own, among those that the memory model allows. The template keeps the values, in
/// slots.
class atomic_cell : public cell {
 protected:
  struct slots {
    std::uint8_t before;  // what is read, or for a store the one behind which it goes
    std::uint8_t after;   // what is written; the same if nothing is
    bool written;
  };

  /// Of a load: a slot; or a value that must still be stored.
  struct source {
    std::uint8_t slot;
    bool promised;
    std::uint64_t value;
  };

  explicit atomic_cell(const place& where);
  ~atomic_cell();

  /// The first half of each access.
  void begin(const access& a) const;
  /// One of these is the second.
  source read(const access& a, bool may_promise) const;
  slots write(const access& a) const;
  slots update(const access& a) const;
  /// `equal`: the slots with the expected value, a bit each.
  slots compare(const access& success, const access& failure, std::uint32_t equal, bool weak) const;
  /// After them the values, for the trace, for those who wait for a change, and for loads that
  /// could have read what was stored. `slot`: of what is written.
  void loaded(const access& a, const source& from, bool may_promise, std::uint64_t value) const;
  void stored(const access& a, std::uint8_t slot, std::uint64_t before, std::uint64_t after) const;
  void unchanged(const access& a, std::uint64_t value) const;

  std::uint8_t latest_slot() const noexcept { return history_.at(history_.latest()).slot; }
  /// Sleeps if the latest of the values, which is in latest_slot(), is as expected. True if the
  /// deadline, where there is one, has passed instead.
  bool wait(const std::uint32_t* values, std::uint32_t expected, const place& where,
            bool has_deadline = false) const;

 private:
  void see(machine& m, const access& a, unsigned index) const;
  slots put_behind(machine& m, const access& a, unsigned index, bool attached) const;

  mutable history history_;
};

/// Data that must be ordered by other means.
class plain_cell : public cell {
 protected:
  explicit plain_cell(const place& where) : cell("plain", where) {}
  ~plain_cell() = default;

  void did_read(const place& where, std::uint64_t value) const;
  void will_write(const place& where, std::uint64_t before, std::uint64_t after);
};

void fence(std::memory_order order, const place& where);
void wake(const cell* word, operation how, const place& where);
void relax(const place& where);
std::uintptr_t self() noexcept;

}  // namespace bast::interleave::internal
