// SPDX-License-Identifier: Apache-2.0
#include "interleave/cell.hpp"

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
}

// Pairs with the release at which published_ was taken.
void atomic_cell::acquire(machine& m, const access& a) const {
  virtual_thread& me = m.me();
  (acquires(a.order) ? me.seen : me.acquired).join(published_);
}

void atomic_cell::loaded(const access& a, std::uint64_t value) const {
  machine* const m = machine::current();
  if (m == nullptr || !m->watches()) return;
  acquire(*m, a);
  m->remember(label_, a, value, value);
}

void atomic_cell::stored(const access& a, std::uint64_t before, std::uint64_t after) const {
  machine* const m = machine::current();
  if (m == nullptr || !m->watches()) return;
  // A plain store ends all release sequences (C++20 has none by the same thread).
  published_ = releases(a.order) ? m->me().seen : m->me().released;
  m->tick();
  if (before != after) m->changed();
  m->remember(label_, a, before, after);
}

void atomic_cell::exchanged(const access& a, std::uint64_t before, std::uint64_t after) const {
  machine* const m = machine::current();
  if (m == nullptr || !m->watches()) return;
  acquire(*m, a);
  // A read-modify-write continues the release sequence, whatever its own order.
  published_.join(releases(a.order) ? m->me().seen : m->me().released);
  m->tick();
  if (before != after) m->changed();
  m->remember(label_, a, before, after);
}

// Without ordering, like a futex.
void atomic_cell::wait(const std::uint32_t& value, std::uint32_t expected,
                       const place& where) const {
  const access a = {operation::wait, std::memory_order::relaxed, where};
  begin(a);
  machine* const m = machine::current();
  if (m == nullptr) return;
  if (m->watches()) m->remember(label_, a, value, value);
  if (value == expected) m->sleep(*this, where);
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
  if (acquires(order)) me.seen.join(me.acquired);
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
