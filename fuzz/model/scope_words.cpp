// SPDX-License-Identifier: Apache-2.0
//
// What the code of a script does: each word that begins no block.
#include <utility>

#include "model/scope_machine.hpp"

namespace bast::model {

// --- callables -----------------------------------------------------------------------------------

struct scope_machine::spawned {
  scope_machine* machine;
  number which;
  held mine;
  result<int> operator()() const { return end_by(machine->run_part(which)); }
};

/// Fits the record of a fiber, and takes the short way through spawn().
struct scope_machine::spawned_plain {
  scope_machine* machine;
  number which;
  held mine;
  int operator()() const { return end_by(machine->run_part(which)).value(); }
};

struct scope_machine::deferring {
  scope_machine* machine;
  number scope;
  number id;
  bool plays;
  held mine;
  result<void> operator()(const scope_end& how) const {
    return machine->run_defer(scope, id, plays, how);
  }
};

// --- each word -----------------------------------------------------------------------------------

scope_machine::number scope_machine::scope_at(const running& r, unsigned distance) {
  number found = r.blocks.back().scope;
  for (; found != none && distance != 0; --distance) found = model_.scope_of(found).around;
  return found;
}

time_point scope_machine::time_of(deadline_value when) const {
  switch (when) {
    case deadline_value::never: return never;
    case deadline_value::far:
      // A loop whose kernel reports no events any more ends the process, if it has a timer.
      if (is_rough_) return never;
      return std::chrono::steady_clock::now() + std::chrono::hours(1);
    case deadline_value::passed:
    case deadline_value::passed_too: break;
  }
  return time_point(std::chrono::nanoseconds(1));
}

void scope_machine::perform_op(running& r, const op& o) {
  const number other = o.value % scope_scripts;
  const number scope = scope_at(r, o.value % 4);
  const unsigned above = o.value / 4;
  switch (static_cast<scope_op>(o.kind)) {
    case scope_op::spawn: return spawn_part(r, o.value);
    case scope_op::open: return open_scope(r, o.value);
    case scope_op::limit: return limit(r, o.value);
    case scope_op::shield: return shield_block(r);
    case scope_op::bind: return bind(r);
    case scope_op::wait: return wait(r, static_cast<wait_value>(o.value % 4), scope_at(r, above));
    case scope_op::yield: {
      const bool fired = model_.is_cancelled(governing(r));
      expect_exact(yield_now().has_value() == !fired, "M6: a yield");
      return;
    }
    case scope_op::check:
      expect_exact(this_coro::checkpoint().has_value() == !model_.is_cancelled(governing(r)),
                   "M6: a checkpoint");
      return;
    case scope_op::join: return join_part(r, other);
    case scope_op::drop: {
      const fiber<int> gone(std::move(parts_[other].handle));
      return;
    }
    case scope_op::fire: {
      part& p = parts_[other];
      if (p.own) expect(p.own->cancel() == model_.cancel(p.own_node), "M6: cancel() of a source");
      return;
    }
    case scope_op::stop:
      expect_exact(runtime_handle::current()->cancel() == model_.cancel(scope_model::root),
                   "M6: cancel() of the runtime");
      return;
    case scope_op::nest: return nest(r);
    case scope_op::end: return;
    default: break;
  }
  if (scope == none) return;
  const number self = model_.scope_of(scope).self;
  switch (static_cast<scope_op>(o.kind)) {
    case scope_op::cancel:
      note(r.who, "x");
      expect_exact(real_[scope].handle->cancel() == model_.cancel(self), "M6: cancel() of a scope");
      return;
    case scope_op::close: {
      const bool is_owner = model_.scope_of(scope).owner == r.who;
      expect(real_[scope].handle->close().has_value() == is_owner, "M2: another fiber closes");
      model_.scope_of(scope).is_closed |= is_owner;
      return;
    }
    case scope_op::defer: return defer(r, scope, above != 0);
    case scope_op::forget: return forget(scope, above);
    case scope_op::await: return await(r, scope);
    case scope_op::watch: return watch(r, scope, o.value);
    case scope_op::deadline: return set_deadline(scope, static_cast<deadline_value>(above % 4));
    default: return;
  }
}

// --- fibers --------------------------------------------------------------------------------------

void scope_machine::spawn_part(running& r, unsigned value) {
  const number which = value % scope_scripts;
  const bool by_scope = (value & spawn_value::by_scope) != 0;
  const number into = scope_at(r, by_scope ? (value >> spawn_value::distance_shift) % 4 : 0);
  if (parts_[which].is_spawned || (by_scope && into == none)) return;
  if ((value & spawn_value::plain) != 0) return spawn_as<spawned_plain>(r, which, into, value);
  spawn_as<spawned>(r, which, into, value);
}

// M2
template <class Callable>
void scope_machine::spawn_as(running& r, number which, number into, unsigned value) {
  part& p = parts_[which];
  const spawn_options options{.name = scope_script_name(which),
                              .daemon = (value & spawn_value::daemon) != 0};
  const bool by_scope = (value & spawn_value::by_scope) != 0;
  const bool unless = by_scope && (value & spawn_value::unless_cancelled) != 0;
  const bool too_late = unless && model_.is_cancelled(model_.scope_of(into).self);
  const bool may = model_.may_spawn(into);
  Callable function{.machine = this, .which = which, .mine = held(holders_)};
  const int before = holders_;
  result<fiber<int>> made = [&] {
    if (!by_scope) {
      return (value & spawn_value::concurrent) != 0 ? bast::concurrent(std::move(function), options)
                                                    : bast::spawn(std::move(function), options);
    }
    scope& s = *real_[into].handle;
    return unless ? s.spawn_unless_cancelled(std::move(function), options)
                  : s.spawn(std::move(function), options);
  }();
  expect(p.runs == 0, "IO-8: a fiber runs inside spawn");
  if (!made) {
    expect(holders_ == before && function.mine.is_whole, "M2: a refused function was taken");
    const errc kind = made.error().kind();
    expect_exact(kind == (too_late ? errc::cancelled : errc::closed) && (too_late || !may),
                 "M2: a fiber is refused");
    note(r.who, "-");
    return;
  }
  expect_exact(!too_late && may, "M2: a fiber is not refused");
  p.is_spawned = true;
  p.is_daemon = options.daemon;
  p.is_plain = std::is_same_v<Callable, spawned_plain>;
  p.scope = into;
  p.governs = model_.spawn(into, p.is_daemon);
  p.handle = std::move(*made);
}

// M3. The handle is this fiber's meanwhile.
void scope_machine::join_part(running& r, number which) {
  part& p = parts_[which];
  fiber<int> mine(std::move(p.handle));
  const bool is_empty = !mine;
  if (is_empty || which == r.who || model_.ends_with_all(governing(r))) {
    r.governs = governing(r);
    r.waits = wait_for::end_of_fiber;
    r.subject = which;
    return take_outcome(r, which, std::move(mine));
  }
  // Perhaps it waits for this fiber, and no cancellation ends that.
  const auto ended = waiting(r, wait_for::end_of_fiber, which,
                             [&] { return perform(first_ready(mine.done(), gate())); });
  if (ended && mine.is_done()) return take_outcome(r, which, std::move(mine));
  p.handle = std::move(mine);
}

void scope_machine::take_outcome(running& r, number which, fiber<int>&& mine) {
  part& p = parts_[which];
  const bool is_empty = !mine;
  const bool fired = model_.is_cancelled(governing(r));
  const ending got = ending_of_call([&] { return mine.join(); });
  see_daemons();
  r.waits = wait_for::nothing;
  note(r.who, "j");
  if (!mine && !is_empty) {
    expect_exact(!fired, "M6: a join succeeds though it was cancelled before");
    const bool is_memory = is_rough_ && p.runs == 0;
    expect(is_memory || (p.ends == 1 && got == p.outcome), "M3: a join takes another outcome");
    expect(!std::exchange(p.is_taken, true), "M3: an outcome is taken twice");
    return;
  }
  const ending empty{ending::kind::other, static_cast<std::int64_t>(errc::bad_state)};
  const ending own{ending::kind::other, static_cast<std::int64_t>(errc::deadlock)};
  if (got.how == ending::kind::cancelled) {
    expect_exact(model_.is_cancelled(governing(r)), "M6: a join is cancelled");
  } else {
    expect(is_empty ? got == empty : which == r.who && got == own, "M3: a join fails");
  }
  p.handle = std::move(mine);
}

// --- waits ---------------------------------------------------------------------------------------

// M6. `what`: what else than a cancellation ends it, which the caller checks.
template <class F>
result<void> scope_machine::waiting(running& r, wait_for what, number subject, F perform_it) {
  const bool fired = model_.is_cancelled(r.governs = governing(r));
  r.waits = what;
  r.subject = subject;
  const auto got = perform_it();
  see_daemons();
  r.waits = wait_for::nothing;
  note(r.who, got ? "w" : "c");
  if (got) {
    expect_exact(!fired, "M6: a wait succeeds though it was cancelled before");
    return {};
  }
  expect_exact(got.error() == errc::cancelled && model_.is_cancelled(r.governs),
               "M6: a wait fails, or is cancelled without a reason");
  return std::unexpected(got.error());
}

template <class Op>
result<void> scope_machine::perform_or_gate(running& r, Op op) {
  if (model_.ends_with_all(governing(r))) return perform(std::move(op));
  const auto first = perform(first_ready(std::move(op), gate()));
  if (!first) return std::unexpected(first.error());
  return {};
}

void scope_machine::wait(running& r, wait_value what, number through) {
  constexpr auto long_time = std::chrono::hours(1);
  if (what == wait_value::through_scope && through != none) {
    // In another's name: what governs here does not count.
    r.blocks.push_back({.governs = model_.scope_of(through).self, .scope = through});
    (void)waiting(r, wait_for::gate, none, [&] { return real_[through].handle->perform(gate()); });
    r.blocks.pop_back();
  } else if (what == wait_value::sleep && !is_rough_ && model_.ends_with_all(governing(r))) {
    const auto slept =
        waiting(r, wait_for::cancel, none, [&] { return perform(sleep_for(long_time)); });
    expect(!slept, "M6: a long sleep ends");
  } else if (what == wait_value::either && !is_rough_) {
    (void)waiting(r, wait_for::gate, none,
                  [&] { return perform(first_ready(gate(), sleep_for(long_time))); });
  } else {
    (void)waiting(r, wait_for::gate, none, [&] { return perform(gate()); });
  }
}

void scope_machine::await(running& r, number of) {
  if (model_.scope_of(of).owner != r.who) {
    expect(real_[of].handle->join().error() == errc::wrong_thread, "S-9: another fiber joins");
    return;
  }
  const bool is_plain = model_.ends_with_all(governing(r));
  const auto got = waiting(r, wait_for::idle, of, [&] {
    scope& s = *real_[of].handle;
    return is_plain ? s.join() : perform_or_gate(r, s.idle());
  });
  expect_exact(!got || !is_plain || model_.scope_of(of).members == 0, "M8: join() ends too early");
}

void scope_machine::watch(running& r, number of, unsigned value) {
  scope& s = *real_[of].handle;
  const bool fault = (value & watch_value::fault) != 0;
  const auto holds = [&, this] {
    const auto& known = model_.scope_of(of);
    return fault ? !known.failures.empty() : known.members == 0;
  };
  if ((value & watch_value::waits) == 0) {
    const bool got = fault ? poll(s.fault()).has_value() : poll(s.idle()).has_value();
    expect_exact(got == holds(), "M8: a poll of a scope is wrong");
    return;
  }
  const bool is_plain = model_.ends_with_all(governing(r));
  const auto got = waiting(r, fault ? wait_for::fault : wait_for::idle, of, [&] {
    return fault ? perform_or_gate(r, s.fault()) : perform_or_gate(r, s.idle());
  });
  expect_exact(!got || !is_plain || holds(), "M8: a watch ends too early");
}

// --- what a scope is asked -----------------------------------------------------------------------

// M2
void scope_machine::defer(running& r, number to, bool plays) {
  const number id = static_cast<number>(defers_.size() + 1);
  const bool may = model_.scope_of(to).at < scope_model::phase::finalizing;
  deferring function{
      .machine = this, .scope = to, .id = id, .plays = plays, .mine = held(holders_)};
  const int before = holders_;
  auto made = real_[to].handle->defer(std::move(function));
  note(r.who, "d");
  if (!made) {
    expect(holders_ == before && function.mine.is_whole, "M2: a refused defer was taken");
    expect_exact(!may && made.error() == errc::closed, "M2: a defer is refused");
    return;
  }
  expect(may, "M2: a defer is not refused");
  model_.scope_of(to).defers.push_back(id);
  defers_.push_back({.handle = *made, .scope = to, .id = id});
}

// M5
void scope_machine::forget(number of, unsigned which) {
  for (registered& each : defers_) {
    if (each.scope != of || which-- != 0) continue;
    const bool was_there = std::erase(model_.scope_of(of).defers, each.id) != 0;
    expect(each.handle.forget() == was_there, "M5: forget() is wrong");
    return;
  }
}

void scope_machine::set_deadline(number of, deadline_value when) {
  const time_point at = time_of(when);
  expect(real_[of].handle->set_deadline(at).has_value(), "S-9: a deadline is refused");
  if (at < std::chrono::steady_clock::now()) {
    (void)model_.cancel(model_.scope_of(of).self, cancel_code::deadline);
  }
}

}  // namespace bast::model
