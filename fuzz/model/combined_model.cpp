// SPDX-License-Identifier: Apache-2.0
#include "model/combined_model.hpp"

#include <algorithm>
#include <utility>

namespace bast::model {

namespace {

constexpr bool can_unwind_here = BAST_EXCEPTIONS != 0;

combined_op combined_kind(const op& o) { return static_cast<combined_op>(o.kind); }
std::size_t coro_place(std::size_t who) { return who % coro_places; }

}  // namespace

std::string refusal_text(errc kind) { return "refused: " + error(kind, "", "").message(); }

combined_model::combined_model(const coro_pool_options& pool) : max_(pool.max_coros) {
  orders_.fill(combined_order::of(0));
  cancel_.ran = [this](int place, const told& why) { heard(place, why); };
}

std::size_t combined_model::count(coro_state state) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(coros_, [=](const auto& c) { return c.state == state; }));
}

std::size_t combined_model::live_children() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(children_, [](const auto& c) { return !c.ended(); }));
}

bool combined_model::permits(const op& o) const {
  return permits_one(o) &&
         (combined_kind(o) != combined_op::inside || permits_one(combined_inner(o.value)));
}

bool combined_model::permits_one(const op& o) const {
  return combined_kind(o) != combined_op::start || live_children() < children_max;
}

// --- operations ----------------------------------------------------------------------------------

void combined_model::perform(const op& o, combined_memory memory) {
  notes = {};
  memory_ = std::move(memory);
  if (combined_kind(o) == combined_op::inside) {
    const op inner = combined_inner(o.value);
    say(resume(coro_place(o.who), &inner));
  } else {
    perform_one(o);
  }
  settle();
}

void combined_model::perform_one(const op& o) {
  const std::size_t who = o.who;
  const std::size_t place = coro_place(who);
  const int node = cancel_.number_of(who);
  switch (combined_kind(o)) {
    case combined_op::source: {
      const auto of = combined_source::of(o.value);
      const int parent = of.has_parent ? cancel_.number_of(of.parent) : nobody;
      if (node < 0 && memory_.made && (parent >= 0 || !of.has_parent)) {
        cancel_.make_source(who, parent, of.shielded);
      }
      return;
    }
    case combined_op::cancel: {
      const auto code = static_cast<cancel_code>(1 + o.value);
      const bool won = node >= 0 && cancel_.cancel(node, {code, code, node});
      return say(won ? "won" : "lost");
    }
    case combined_op::drop: return cancel_.drop(who);
    case combined_op::deadline:
      if (node < 0) return;
      return cancel_.set_deadline(
          node, o.value == deadline_never ? cancel_model::model_never : clock_ + o.value);
    case combined_op::shield:
      if (node >= 0) cancel_.set_shield(node, o.value != 0);
      return;
    case combined_op::listen: return listen(place, o.value);
    case combined_op::deafen: return cancel_.delist(place);
    case combined_op::order: orders_[place] = combined_order::of(o.value); return;
    case combined_op::start: return say(start(place, o.value));
    case combined_op::resume: return say(resume(place));
    case combined_op::take: return say(take(place));
    case combined_op::release: return say(release(place, false));
    case combined_op::abandon: return say(release(place, true));
    case combined_op::peek: return say(peek(place));
    case combined_op::tick:
      for (int i = 0; i <= o.value; ++i) tick();
      return;
    case combined_op::restart: return restart();
    case combined_op::reboot: return reboot();
    default: return act(place, o);
  }
}

void combined_model::listen(std::size_t place, std::uint16_t value) {
  const combined_deed deed = combined_deed::of(value);
  const int on = cancel_.number_of(deed.on);
  if (on < 0 || cancel_.has_callback(place)) return;
  deeds_[place] = deed;
  cancel_.enlist(place, on, {});
}

void combined_model::heard(int place, const told& why) {
  say("callback " + std::to_string(place) + ": " + name_of(why.code) + " because " +
      name_of(why.cause) + " from " + std::to_string(why.origin));
  if (place >= hook_places) {
    const auto owner = static_cast<std::size_t>(place - hook_places);
    if (coros_[owner].does.self_waker) say(resume(owner));
    return;
  }
  const combined_deed deed = deeds_[static_cast<std::size_t>(place)];
  const std::size_t coro = coro_place(deed.argument);
  switch (deed.what) {
    case combined_deed::kind::nothing: return;
    case combined_deed::kind::cancel: {
      const int n = cancel_.number_of(deed.argument);
      if (n >= 0) cancel_.cancel(n, {.origin = n});
      return;
    }
    case combined_deed::kind::deafen: return cancel_.delist(coro);
    case combined_deed::kind::resume: return say(resume(coro));
    case combined_deed::kind::peek: return say(peek(coro));
    case combined_deed::kind::drop: return cancel_.drop(deed.argument);
  }
}

/// The children's actions.
void combined_model::act(std::size_t place, const op& o) {
  if (by_owner_[place].empty()) return;
  combined_child& child = children_[by_owner_[place].back()];
  switch (combined_kind(o)) {
    case combined_op::write:
      child.write(o.value & 1U, o.value);
      if (!memory_.read_all) child.lack(o.value & 1U);
      return;
    case combined_op::exit:
      return child.exit(o.value & 255, (o.value >> 8 & 1) != 0, (o.value >> 9 & 1) != 0);
    case combined_op::stubborn: return child.become_stubborn();
    case combined_op::hold: return child.hold();
    case combined_op::let_go: return child.let_go();
    default: return;
  }
}

// --- spontaneous events -------------------------------------------------------------------------

/// The trees of cancellation learn the time first, then the driver.
void combined_model::tick() {
  ++clock_;
  for (std::size_t place = 0; place < cancel_places; ++place) {
    const int source = cancel_.number_of(place);
    if (source >= 0) cancel_.advance(source, clock_);
  }
  // Cancelled processes are asked to end before their own deadlines.
  --clock_;
  settle();
  ++clock_;
  settle();
}

void combined_model::settle(std::int64_t later_ns) {
  const std::int64_t now = clock_ * unit_ns + later_ns;
  for (bool again = true; again;) {
    again = false;
    for (std::size_t i = 0; i < children_.size(); ++i) {
      combined_child& child = children_[i];
      const std::size_t owner = child.owner();
      coroutine& c = coros_[owner];
      const bool waits = c.waits_for == static_cast<int>(i);
      if (waits && (is_marked(c.bound) || is_marked(c.own_token))) {
        child.ask(process_ending::cancelled);
      }
      if (!child.settle(now)) continue;
      again = true;
      auto& lacked = memory_.lacked[owner];
      if (!lacked.empty()) {
        child.lack_at_the_end(lacked.front());
        lacked.pop_front();
      }
      if (!waits) continue;
      notes.coros[owner].push_back("run: " + child.result());
      c.waits_for = c.own_token = nobody;
      (void)go_on(owner);
    }
  }
}

void combined_model::restart() {
  for (;;) {
    coroutine* newest = nullptr;
    for (coroutine& c : coros_) {
      if (c.state == coro_state::free) continue;
      if (newest == nullptr || c.sequence > newest->sequence) newest = &c;
    }
    if (newest == nullptr) break;
    const auto place = static_cast<std::size_t>(newest - coros_.data());
    (void)release(place, !can_unwind_here && newest->state == coro_state::suspended);
  }
  swallowed_ = abandoned_ = unhandled_ = 0;
}

/// Requests the end of everything, and performs it.
void combined_model::reboot() {
  shut_down_ = true;
  for (combined_child& child : children_) child.ask(process_ending::cancelled);
  settle();
  for (combined_child& child : children_) {
    child.exit(0, false, false);
    child.let_go();
  }
  settle();
  settle(1);  // Stopped groups are checked again.
  shut_down_ = false;
  started_ = 0;
}

}  // namespace bast::model
