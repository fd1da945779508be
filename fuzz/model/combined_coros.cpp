// SPDX-License-Identifier: Apache-2.0
//
// The part of the `combined` model for coroutines.
#include <string>

#include "model/combined_model.hpp"

namespace bast::model {

namespace {

constexpr bool unwinds_here = BAST_EXCEPTIONS != 0;

}  // namespace

std::string combined_model::start(std::size_t place, std::uint16_t value) {
  if (coros_[place].state != coro_state::free) return "occupied";
  if (coro_places - count(coro_state::free) >= max_) return refusal_text(errc::limit);
  if (!memory_.made) return "no memory";
  coroutine& c = coros_[place];
  c = {.state = coro_state::running, .does = combined_script::of(value), .sequence = acquired_++};
  if (c.does.bound) c.bound = cancel_.number_of(c.does.source);
  if (c.bound >= 0 && c.does.hooked) {
    cancel_.enlist(static_cast<std::size_t>(hook_places) + place, c.bound, {});
  }
  return go_on(place);
}

std::string combined_model::resume(std::size_t place, const op* inner) {
  coroutine& c = coros_[place];
  switch (c.state) {
    case coro_state::free: return refusal_text(errc::stale_handle);
    case coro_state::running: return refusal_text(errc::busy);
    case coro_state::finished: return refusal_text(errc::finished);
    default: break;
  }
  if (c.waits_for >= 0) return refusal_text(errc::not_owner);
  c.state = coro_state::running;
  if (inner == nullptr) return go_on(place);
  perform_one(*inner);
  c.state = coro_state::suspended;
  return c.latest = "yielded " + std::to_string(inner_yield);
}

/// From its latest suspension to the next one, or to its end.
std::string combined_model::go_on(std::size_t place) {
  coroutine& c = coros_[place];
  c.state = coro_state::running;
  for (;;) {
    if (c.yielded < c.does.yields) {
      if (c.does.cancellable && is_marked(c.bound)) {  // C-10
        notes.coros[place].emplace_back("checkpoint");
        c.stopped = true;
        break;
      }
      ++c.yielded;
      c.state = coro_state::suspended;
      return c.latest = "yielded " + std::to_string(combined_yield(place, c.handed_out++));
    }
    if (c.processes == c.does.processes) break;
    ++c.processes;
    c.yielded = 0;
    if (run(place)) {
      c.state = coro_state::suspended;
      return "parked";
    }
  }
  finish(place);
  return "finished";
}

/// True if it waits.
bool combined_model::run(std::size_t place) {
  coroutine& c = coros_[place];
  const combined_order& order = orders_[place];
  const int own = order.own_token ? cancel_.number_of(order.token) : nobody;
  const auto fails = [&](errc why) {
    notes.coros[place].push_back("run: " + refusal_text(why));
    return false;
  };
  if (is_marked(own) || is_marked(c.bound)) return fails(errc::cancelled);  // C-10
  if (auto& ran = memory_.ran[place]; !ran.empty()) {
    const bool worked = ran.front();
    ran.pop_front();
    if (!worked) return fails(errc::no_memory);
  }
  if (shut_down_) return fails(errc::shutdown);
  ++started_;
  c.own_token = own;
  c.waits_for = static_cast<int>(children_.size());
  by_owner_[place].push_back(children_.size());
  children_.emplace_back(order, place, clock_ * unit_ns);
  return true;
}

void combined_model::finish(std::size_t place) {
  coroutine& c = coros_[place];
  cancel_.delist(static_cast<std::size_t>(hook_places) + place);
  c.bound = nobody;
  c.state = coro_state::finished;
  c.has_outcome = true;
}

std::string combined_model::take(std::size_t place) {
  coroutine& c = coros_[place];
  if (c.state == coro_state::free) return refusal_text(errc::stale_handle);
  if (c.state != coro_state::finished || !c.has_outcome) return refusal_text(errc::bad_state);
  c.has_outcome = false;
  if (c.does.throws && unwinds_here) return "threw";
  return "returned " + std::to_string(combined_return(place, c.stopped));
}

std::string combined_model::peek(std::size_t place) const {
  const coroutine& c = coros_[place];
  switch (c.state) {
    case coro_state::free: return refusal_text(errc::stale_handle);
    case coro_state::running: return refusal_text(errc::busy);
    case coro_state::finished: return "finished";
    default: return c.waits_for >= 0 ? "parked" : c.latest;
  }
}

/// C-8, F-12: requests the end of the process that it waited for (P-14).
void combined_model::end_what_is_linked(std::size_t place) {
  const coroutine& c = coros_[place];
  if (c.waits_for >= 0) {
    children_[static_cast<std::size_t>(c.waits_for)].ask(process_ending::cancelled);
  }
  cancel_.delist(static_cast<std::size_t>(hook_places) + place);
}

/// F-9: destroys the locals on the stack.
void combined_model::unwind(std::size_t place) {
  const coroutine& c = coros_[place];
  end_what_is_linked(place);
  say("unwound " + std::to_string(place));
  if (c.does.unwound == combined_script::when_unwound::swallow) ++swallowed_;
  if (c.does.unwound == combined_script::when_unwound::replace) ++unhandled_;
}

std::string combined_model::release(std::size_t place, bool abandoning) {
  coroutine& c = coros_[place];
  if (c.state == coro_state::free) return refusal_text(errc::stale_handle);
  if (c.state == coro_state::running) return refusal_text(errc::busy);
  if (c.state == coro_state::suspended) {
    if (!abandoning && !unwinds_here) return refusal_text(errc::busy);
    if (abandoning) {
      ++abandoned_;
      end_what_is_linked(place);
    } else {
      unwind(place);
    }
  } else if (c.has_outcome && c.does.throws && unwinds_here) {
    ++unhandled_;
  }
  c = {};
  return "done";
}

}  // namespace bast::model
