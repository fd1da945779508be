// SPDX-License-Identifier: Apache-2.0
#include "interleave/cell.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "interleave/machine.hpp"

namespace bast::interleave::internal {

namespace {

constexpr std::uint64_t ended = UINT64_MAX;  // A schedule_ that never runs.

bool acquires(std::memory_order order) noexcept {
  using enum std::memory_order;
  return order != relaxed && order != release;
}
bool releases(std::memory_order order) noexcept {
  using enum std::memory_order;
  return order == release || order == acq_rel || order == seq_cst;
}

// Null outside a schedule, and in one that has failed.
machine* exploring() noexcept {
  machine* const m = machine::current();
  return m != nullptr && m->watches() ? m : nullptr;
}

bool can_stay_open(const machine& m, std::memory_order order) noexcept {
  return order != std::memory_order::seq_cst && m.may_read_later_stores();
}

std::string who(unsigned thread, operation what, const place& where) {
  return "thread " + std::to_string(thread) + " (" + print(what) + " at " + print(where) + ")";
}

}  // namespace

cell::cell(const char* kind, const place& where) {
  label_.kind = kind;
  label_.made = where;
  machine* const m = machine::current();
  if (m == nullptr) return;
  schedule_ = m->schedule_number();
  label_.number = m->next_object();
  writer_ = static_cast<std::uint8_t>(m->running());
  written_ = {m->me().seen.at[writer_], where};
}

cell::~cell() {
  const access death = {operation::end, std::memory_order::relaxed,
                        place(__builtin_return_address(0))};
  if (machine* const m = watching(death)) {
    used(*m, death, true);
    m->remember(label_, death, 0, 0);
  }
  // Volatile: this is the last access of the object, which a compiler may drop otherwise.
  *const_cast<volatile std::uint64_t*>(&schedule_) = ended;
}

atomic_cell::atomic_cell(const place& where) : cell("atomic", where) {
  if (machine* const m = exploring()) {
    history_.see(0, m->past_of_access(std::memory_order::relaxed));
  }
}

atomic_cell::~atomic_cell() {
  if (machine* const m = exploring()) m->forget_loads(this);
}

machine* cell::watching(const access& a) const {
  machine* const m = machine::current();
  if (m == nullptr || !m->watches()) return nullptr;
  if (schedule_ == m->schedule_number()) [[likely]]
    return m;
  m->fail(who(m->running(), a.what, a.where) + " uses an object " +
          (schedule_ == ended ? "after its end"
                              : "that was not made in this schedule: make it in the test"));
  return nullptr;
}

void cell::used(machine& m, const access& a, bool exclusive) const {
  const unsigned self = m.running();
  const clock& seen = m.me().seen;
  if (seen.at[writer_] < written_.at) [[unlikely]]
    return conflict(m, a, writer_, written_, true);
  if (exclusive) {
    for (unsigned i = 0; i < threads_max; ++i) {
      if (seen.at[i] < shared_[i].at) [[unlikely]]
        return conflict(m, a, i, shared_[i], false);
    }
    writer_ = static_cast<std::uint8_t>(self);
    written_ = {seen.at[self], a.where};
  } else {
    shared_[self] = {seen.at[self], a.where};
  }
}

void cell::conflict(machine& m, const access& a, unsigned thread, const use& other,
                    bool other_writes) const {
  std::string what = "a data race on " + print(label_) + ": ";
  what += who(m.running(), a.what, a.where);
  what += " and thread " + std::to_string(thread);
  what += other_writes ? " (made or wrote it at " : " (used it at ";
  what += print(other.where) + "): neither happens before the other";
  m.fail(what);
}

void atomic_cell::begin(const access& a) const {
  machine* m = machine::current();
  if (m == nullptr) return;
  m->step();
  m = watching(a);
  if (m == nullptr) return;
  const bool wrong =
      (a.what == operation::load && a.order != std::memory_order::seq_cst && releases(a.order)) ||
      (a.what == operation::store && a.order != std::memory_order::seq_cst && acquires(a.order));
  if (wrong) {
    return m->fail(who(m->running(), a.what, a.where) + " cannot have the order " + print(a.order));
  }
  used(*m, a, false);
  m->close_loads(this);
}

// The store at `index` is read, or written: from now on the running thread has seen it.
void atomic_cell::see(machine& m, const access& a, unsigned index) const {
  history_.see(index, m.past_of_access(a.order));
  if (index != history_.latest()) m.me().saw_an_old_value = true;
}

// Pairs with the release of the store, or of the head of its release sequence.
atomic_cell::source atomic_cell::read(const access& a, bool may_promise) const {
  machine* const m = exploring();
  if (m == nullptr) return {latest_slot(), false, 0};
  const unsigned count = history_.count() - history_.floor(m->past_of_access(a.order));
  bool promised = false;
  const std::uint64_t taken = may_promise && can_stay_open(*m, a.order)
                                  ? m->depart_and_promise(count, promised)
                                  : m->depart(count, departure::old);
  if (promised) return {0, true, taken};
  const unsigned index = history_.latest() - static_cast<unsigned>(taken);
  const store& from = history_.at(index);
  (acquires(a.order) ? m->me().seen : m->me().acquired).join(from.published);
  see(*m, a, index);
  return {from.slot, false, 0};
}

atomic_cell::slots atomic_cell::write(const access& a) const {
  machine* const m = exploring();
  if (m == nullptr) return {latest_slot(), latest_slot(), true};
  std::array<std::uint8_t, history_max> behind = {};
  std::size_t count = 0;
  const unsigned floor = history_.floor(m->past_of_access(a.order));
  for (unsigned i = history_.count(); i-- > floor;) {
    if (history_.is_open(i)) behind[count++] = static_cast<std::uint8_t>(i);
  }
  return put_behind(*m, a, behind[m->depart(count, departure::earlier)], false);
}

atomic_cell::slots atomic_cell::update(const access& a) const {
  return compare(a, a, ~std::uint32_t{0}, false);
}

atomic_cell::slots atomic_cell::compare(const access& success, const access& failure,
                                        std::uint32_t equal, bool weak) const {
  const auto is_equal = [&](unsigned index) {
    return (equal >> history_.at(index).slot & 1U) != 0;
  };
  machine* const m = exploring();
  if (m == nullptr) return {latest_slot(), latest_slot(), is_equal(history_.latest())};
  struct outcome {
    std::uint8_t index;
    bool succeeds;
  };
  std::array<outcome, history_max + 1> outcomes = {};
  std::size_t count = 0;
  const unsigned floor = history_.floor(m->past_of_access(success.order));
  const unsigned floor_of_failure = history_.floor(m->past_of_access(failure.order));
  for (unsigned i = history_.count(); i-- > std::min(floor, floor_of_failure);) {
    const auto index = static_cast<std::uint8_t>(i);
    if (is_equal(i)) {
      if (i >= floor && history_.is_open(i)) outcomes[count++] = {index, true};
    } else if (i >= floor_of_failure) {
      outcomes[count++] = {index, false};
    }
  }
  // Not twice in a row: a loop ends.
  virtual_thread& me = m->me();
  if (weak && outcomes[0].succeeds && !me.failed_spuriously) {
    outcomes[count++] = {outcomes[0].index, false};
  }
  const outcome taken = outcomes[m->depart(count, departure::old)];
  me.failed_spuriously = !taken.succeeds && is_equal(taken.index);
  if (me.failed_spuriously) m->departs(departure::spurious);
  const access& a = taken.succeeds ? success : failure;
  (acquires(a.order) ? me.seen : me.acquired).join(history_.at(taken.index).published);
  see(*m, a, taken.index);
  if (taken.succeeds) return put_behind(*m, a, taken.index, true);
  const std::uint8_t slot = history_.at(taken.index).slot;
  return {slot, slot, false};
}

atomic_cell::slots atomic_cell::put_behind(machine& m, const access& a, unsigned index,
                                           bool attached) const {
  virtual_thread& me = m.me();
  const std::uint8_t before = history_.at(index).slot;
  clock published = releases(a.order) ? me.seen : me.released;
  // A read-modify-write continues the release sequence, whatever its own order. A plain store ends
  // it (C++20 has none by the same thread).
  if (attached) published.join(history_.at(index).published);
  const unsigned mine = history_.insert_behind(index);
  store& s = history_.at(mine);
  s.published = published;
  s.attached = attached;
  s.step = m.steps();
  see(m, a, mine);
  m.tick();
  return {before, s.slot, true};
}

void atomic_cell::loaded(const access& a, const source& from, bool may_promise,
                         std::uint64_t value) const {
  machine* const m = exploring();
  if (m == nullptr) return;
  if (may_promise && can_stay_open(*m, a.order)) {
    m->open_load(this, acquires(a.order), from.promised, value);
  }
  m->remember(label_, a, value, value);
}

void atomic_cell::stored(const access& a, std::uint8_t slot, std::uint64_t before,
                         std::uint64_t after) const {
  machine* const m = exploring();
  if (m == nullptr) return;
  if (before != after) m->changed();
  if (slot == latest_slot()) m->foresee(this, history_.at(history_.latest()), after);
  m->remember(label_, a, before, after);
}

void atomic_cell::unchanged(const access& a, std::uint64_t value) const {
  if (machine* const m = exploring()) m->remember(label_, a, value, value);
}

// Without ordering, like a futex. Returns spuriously, but not twice in a row.
bool atomic_cell::wait(const std::uint32_t* values, std::uint32_t expected, const place& where,
                       bool has_deadline) const {
  const access a = {operation::wait, std::memory_order::relaxed, where};
  begin(a);
  const std::uint32_t value = values[latest_slot()];
  if (machine* const m = exploring()) {
    if (value != expected) see(*m, a, history_.latest());
    bool& spurious = m->me().woke_spuriously;
    const bool expired = has_deadline && value == expected && m->depart(2, departure::expired) == 1;
    spurious = !expired && value == expected && !spurious && m->depart(2, departure::spurious) == 1;
    m->remember(label_, a, value, value);
    if (spurious || expired) return expired;
  }
  machine* const m = machine::current();
  if (m != nullptr && value == expected) m->sleep(*this, where);
  return false;
}

void plain_cell::did_read(const place& where, std::uint64_t value) const {
  const access a = {operation::read, std::memory_order::relaxed, where};
  machine* const m = watching(a);
  if (m == nullptr) return;
  used(*m, a, false);
  m->remember(label_, a, value, value);
}

void plain_cell::will_write(const place& where, std::uint64_t before, std::uint64_t after) {
  const access a = {operation::write, std::memory_order::relaxed, where};
  machine* const m = watching(a);
  if (m == nullptr) return;
  used(*m, a, true);
  m->remember(label_, a, before, after);
}

void fence(std::memory_order order, const place& where) {
  machine* const m = machine::current();
  if (m == nullptr) return;
  m->step();
  if (!m->watches()) return;
  virtual_thread& me = m->me();
  m->close_loads(nullptr);
  if (acquires(order)) me.seen.join(me.acquired);
  if (order == std::memory_order::seq_cst) m->add_fence();
  if (releases(order)) me.released = me.seen;
  m->tick();
  m->remember({}, {operation::fence, order, where}, 0, 0);
}

void wake(const cell* word, operation how, const place& where) {
  machine* const m = machine::current();
  if (m == nullptr) return;
  m->step();
  if (m->watches()) m->remember({}, {how, std::memory_order::relaxed, where}, 0, 0);
  m->wake(word, how == operation::wake_all);
}

void relax(const place& where) {
  if (machine* const m = machine::current()) m->relax(where);
}

std::uintptr_t self() noexcept {
  machine* const m = machine::current();
  return m == nullptr ? 1 : m->running() + 1U;
}

}  // namespace bast::interleave::internal
