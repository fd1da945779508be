// SPDX-License-Identifier: Apache-2.0
#include "model/pool_model.hpp"

#include <algorithm>
#include <utility>

namespace bast::model {

namespace {

constexpr bool can_unwind = BAST_EXCEPTIONS != 0;

pool_op kind_of(const op& o) { return static_cast<pool_op>(o.kind); }

bool started(coro_state s) { return s == coro_state::running || s == coro_state::suspended; }

/// Column by column of table F-1: the result of an operation that a coroutine's state does not
/// allow.
reply refusal_of_resume(coro_state s) {
  switch (s) {
    case coro_state::running: return reply::refusal(errc::busy);
    case coro_state::finished: return reply::refusal(errc::finished);
    default: return reply::refusal(errc::bad_state);
  }
}

}  // namespace

std::string to_text(const reply& r) {
  if (!r.done) return std::string("refused: ") + error(r.refused, "", "").message();
  switch (r.value) {
    case finished_value: return "finished";
    case thrown_value: return "threw";
    case inside_value: return "yielded inside";
    case no_value: return "done";
    default: return std::to_string(r.value);
  }
}

std::string to_text(const answer& a) {
  return to_text(a.outer) + (a.inner ? " (inside: " + to_text(*a.inner) + ")" : "");
}

// --- expected results ---------------------------------------------------------------------------

answer pool_model::expect(const op& o) const {
  if (kind_of(o) != pool_op::inside) return {.outer = expect_one(o), .inner = {}};
  const reply outer = expect_one(o);
  // The body of one that was made begins, and yields before it looks for a request.
  if (!outer.done || at(o.who).unstarted) return {.outer = outer, .inner = {}};
  pool_model during = *this;
  during.at(o.who).state = coro_state::running;
  return {.outer = outer, .inner = during.expect_one(inner_op(o.value))};
}

reply pool_model::expect_run(std::size_t handle, const script& does, unsigned yielded) const {
  if (yielded < does.yields) return reply::of(yielded_value(handles_[handle], yielded));
  return reply::of(finished_value);
}

reply pool_model::expect_one(const op& o) const {
  const std::size_t who = o.who;
  const reply done = reply::of(no_value);
  const reply no_handle = reply::refusal(errc::stale_handle);
  switch (kind_of(o)) {
    case pool_op::acquire:
    case pool_op::make: {
      const auto held = static_cast<std::size_t>(
          std::ranges::count_if(all_, [](const auto& c) { return c.state != coro_state::free; }));
      return held < max_ ? done : reply::refusal(errc::limit);
    }
    case pool_op::start:
      if (stale(who)) return no_handle;
      if (at(who).state != coro_state::ready) return reply::refusal(errc::bad_state);
      return expect_run(who, script::of(o.value), 0);
    case pool_op::resume:
      if (stale(who)) return no_handle;
      if (at(who).state != coro_state::suspended) return refusal_of_resume(at(who).state);
      return expect_run(who, at(who).does, at(who).yielded);
    case pool_op::inside:
      if (stale(who)) return no_handle;
      if (at(who).state != coro_state::suspended) return refusal_of_resume(at(who).state);
      if (at(who).unstarted) return expect_run(who, at(who).does, 0);
      return reply::of(inside_value);
    case pool_op::take:
      if (stale(who)) return no_handle;
      if (at(who).state != coro_state::finished) return reply::refusal(errc::bad_state);
      if (!at(who).has_outcome) return reply::refusal(errc::bad_state);
      return reply::of(at(who).does.throws && can_unwind ? thrown_value
                                                         : returned_value(handles_[who]));
    case pool_op::release:
      if (stale(who)) return no_handle;
      if (at(who).state == coro_state::running) return reply::refusal(errc::busy);
      if (at(who).state == coro_state::suspended && !can_unwind && !at(who).unstarted)
        return reply::refusal(errc::busy);
      return done;
    case pool_op::abandon:
      if (stale(who)) return no_handle;
      return at(who).state == coro_state::running ? reply::refusal(errc::busy) : done;
    case pool_op::set_data: return stale(who) ? no_handle : done;
    case pool_op::set_name:
      if (stale(who)) return no_handle;
      return at(who).state == coro_state::ready ? reply::refusal(errc::bad_state) : done;
    case pool_op::elsewhere: return stale(who) ? no_handle : reply::refusal(errc::wrong_thread);
    case pool_op::wrong_pool: return no_handle;
    case pool_op::reserve: return o.value <= max_ ? done : reply::refusal(errc::limit);
    case pool_op::adopt: {
      const bool busy =
          std::ranges::any_of(all_, [](const auto& c) { return started(c.state) && !c.unstarted; });
      return busy ? reply::refusal(errc::busy) : done;
    }
    default: return done;
  }
}

bool pool_model::may_lack(const op& o) {
  switch (kind_of(o)) {
    case pool_op::acquire:
    case pool_op::start:
    case pool_op::make:
    case pool_op::reserve:
    case pool_op::adopt: return true;
    default: return false;
  }
}

// --- actual results -----------------------------------------------------------------------------

void pool_model::follow(const op& o, const answer& seen) {
  if (kind_of(o) == pool_op::inside && seen.outer.done && seen.inner) {
    const int inside_of = handles_[o.who];
    all_[static_cast<std::size_t>(inside_of)].state = coro_state::running;
    follow_one(inner_op(o.value), *seen.inner);
    all_[static_cast<std::size_t>(inside_of)].state = coro_state::suspended;
    return;
  }
  follow_one(o, seen.outer);
}

/// It ran until it yielded or ended.
void pool_model::ran(coroutine& c) {
  if (c.yielded < c.does.yields) {
    ++c.yielded;
    c.state = coro_state::suspended;
    return;
  }
  c.state = coro_state::finished;
  c.has_outcome = true;
  --bodies_;
}

void pool_model::free(coroutine& c) { c = {.state = coro_state::free}; }

/// Its release succeeded.
void pool_model::end(coroutine& c) {
  if (c.unstarted) return free(c);
  if (c.state == coro_state::suspended && can_unwind) {
    --bodies_;
    if (c.does.unwound == script::when_unwound::swallow) ++swallowed_;
    if (c.does.unwound == script::when_unwound::replace) ++unhandled_;
  }
  if (c.state == coro_state::finished && c.has_outcome && c.does.throws && can_unwind) ++unhandled_;
  free(c);
}

void pool_model::follow_one(const op& o, const reply& seen) {
  if (!seen.done) return;
  const std::size_t who = o.who;
  switch (kind_of(o)) {
    case pool_op::acquire:
      handles_[who] = static_cast<int>(all_.size());
      all_.emplace_back();
      break;
    case pool_op::start:
      at(who).does = script::of(o.value);
      if (at(who).does.labelled) at(who).name = label;
      ++bodies_;
      ran(at(who));
      break;
    case pool_op::make:
      handles_[who] = static_cast<int>(all_.size());
      all_.emplace_back();
      at(who).state = coro_state::suspended;
      at(who).unstarted = true;
      at(who).does = script::of(o.value);
      if (at(who).does.labelled) at(who).name = label;
      break;
    case pool_op::inside:  // Of one that was made.
    case pool_op::resume:
      if (std::exchange(at(who).unstarted, false)) ++bodies_;
      ran(at(who));
      break;
    case pool_op::take: at(who).has_outcome = false; break;
    case pool_op::release: end(at(who)); break;
    case pool_op::abandon:
      if (at(who).state == coro_state::suspended && !at(who).unstarted) {
        ++abandoned_;
        free(at(who));  // Its locals are leaked: their bodies stay counted.
      } else {
        end(at(who));
      }
      break;
    case pool_op::set_data: at(who).data = o.value; break;
    case pool_op::set_name: at(who).name = names[o.value]; break;
    case pool_op::copy: handles_[o.value] = handles_[who]; break;
    case pool_op::forget: handles_[who] = nobody; break;
    case pool_op::restart: {
      // F-17: newest first. Without unwinding, suspended ones are abandoned.
      for (std::size_t i = all_.size(); i-- > 0;) {
        if (all_[i].state != coro_state::free) end(all_[i]);
      }
      swallowed_ = abandoned_ = unhandled_ = 0;
      break;
    }
    default: break;
  }
}

// --- visible state ------------------------------------------------------------------------------

coro_state pool_model::state_of(std::size_t handle) const {
  return stale(handle) ? coro_state::free : at(handle).state;
}

const char* pool_model::name_of(std::size_t handle) const {
  return stale(handle) ? nullptr : at(handle).name;
}

int pool_model::data_of(std::size_t handle) const { return stale(handle) ? 0 : at(handle).data; }

std::size_t pool_model::count(coro_state state) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(all_, [=](const auto& c) { return c.state == state; }));
}

std::size_t pool_model::stacks() const {
  return count(coro_state::running) + count(coro_state::suspended) + count(coro_state::finished);
}

const char* canary_law(const pool_model& state) {
  const bool sings =
      state.count(coro_state::suspended) == 3 && state.count(coro_state::finished) == 2;
  return sings ? "the canary: three are suspended and two are finished" : nullptr;
}

}  // namespace bast::model
