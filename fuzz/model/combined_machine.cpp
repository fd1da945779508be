// SPDX-License-Identifier: Apache-2.0
#include "model/combined_machine.hpp"

#include <utility>

namespace bast::model {

namespace {

std::size_t place_of_coro(std::size_t who) { return who % coro_places; }
time_point time_in_units(long units) { return time_point(std::chrono::seconds(units)); }

}  // namespace

combined_machine::combined_machine(const combined_choice& chosen, fault_schedule& faults)
    : options_(chosen.pool), faults_(faults), loop_(chosen, faults) {
  orders_.fill(combined_order::of(0));
#if BAST_EXCEPTIONS
  options_.unhandled = {
      .take = [](void* self, std::exception_ptr,
                 const char*) noexcept { ++static_cast<combined_machine*>(self)->sunk_; },
      .context = this};
#endif
  if (make_pool()) make_driver();
}

bool combined_machine::lacks(const error& e) {
  const bool lack = e == errc::no_memory || e == errc::limit || e == errc::invalid;
  if (!lack || !faults_.is_rough()) complain(e.message());
  return lack;
}

bool combined_machine::make_pool() {
  auto made = coro_pool::create(options_);
  if (made) {
    pool_.emplace(std::move(*made));
  } else {
    (void)lacks(made.error());
  }
  return made.has_value();
}

void combined_machine::make_driver() {
  if (auto opened = loop_.open(); !opened) (void)lacks(opened.error());
}

// --- operations ----------------------------------------------------------------------------------

combined_memory combined_machine::perform(const op& o) {
  notes_ = {};
  memory_ = {};
  wrote_ = nullptr;
  for (auto& each : loop_.lacked) each.clear();
  const std::size_t place = place_of_coro(o.who);
  if (static_cast<combined_op>(o.kind) == combined_op::inside) {
    to_perform_inside_ = combined_inner(o.value);
    say(resume(place));
    to_perform_inside_.reset();
  } else {
    perform_one(o);
  }
  if (!ready()) return memory_;
  loop_.settle();
  memory_.lacked = loop_.lacked;
  if (wrote_ != nullptr && !combined_loop::all_is_read(*wrote_, wrote_to_)) {
    memory_.read_all = false;
    if (!faults_.is_rough()) complain("P-16: what was written is not read");
  }
  return memory_;
}

void combined_machine::perform_one(const op& o) {
  const std::size_t place = place_of_coro(o.who);
  std::optional<cancel_source>& source = sources_[o.who];
  switch (static_cast<combined_op>(o.kind)) {
    case combined_op::source: return make_source(o.who, o.value);
    case combined_op::cancel: {
      const bool won = source && source->cancel({.code = static_cast<cancel_code>(1 + o.value)});
      return say(won ? "won" : "lost");
    }
    case combined_op::drop: return source.reset();
    case combined_op::deadline:
      if (!source) return;
      return source->set_deadline(o.value == deadline_never ? never
                                                            : time_in_units(clock_ + o.value));
    case combined_op::shield:
      if (source) source->set_shield(o.value != 0);
      return;
    case combined_op::listen: return listen(place, o.value);
    case combined_op::deafen: return deafen(place);
    case combined_op::order: orders_[place] = combined_order::of(o.value); return;
    case combined_op::start: return say(start(place, o.value));
    case combined_op::resume: return say(resume(place));
    case combined_op::take: return say(take(place));
    case combined_op::release:
    case combined_op::abandon: {
      const bool leaks = static_cast<combined_op>(o.kind) == combined_op::abandon;
      const bool suspended = coros_[place].state() == coro_state::suspended;
      const auto done = leaks ? coros_[place].release(abandon) : coros_[place].release();
      if (done) held_[place] = false;
      if (done && leaks && suspended) ++leaked_;
      return say(done ? "done" : refusal(done));
    }
    case combined_op::peek: return say(peek(place));
    case combined_op::tick:
      for (int i = 0; i <= o.value; ++i) tick();
      return;
    case combined_op::restart: return restart();
    case combined_op::reboot: return reboot();
    case combined_op::fault: return faults_.spoil(o.value);
    case combined_op::mend: return faults_.mend();
    case combined_op::check: return pool_->check_invariants();
    case combined_op::inside: return;
    default:
      if (auto* const latest = loop_.latest_of(place)) {
        const bool writes = static_cast<combined_op>(o.kind) == combined_op::write;
        wrote_ = writes && !latest->ended ? latest : nullptr;
        wrote_to_ = o.value & 1U;
        loop_.act(*latest, o);
      }
  }
}

void combined_machine::make_source(std::size_t place, std::uint16_t value) {
  const auto of = combined_source::of(value);
  const auto& parent = sources_[of.parent];
  if (sources_[place] || (of.has_parent && !parent)) return;
  const cancel_source_options options{.shielded = of.shielded};
  auto made = of.has_parent ? parent->child(options) : cancel_source::create(options);
  memory_.made = made.has_value();
  if (!made) return void(lacks(made.error()));
  numbers_[made->id()] = next_number_++;
  sources_[place].emplace(std::move(*made));
}

void combined_machine::listen(std::size_t place, std::uint16_t value) {
  const combined_deed deed = combined_deed::of(value);
  if (callbacks_[place] || !sources_[deed.on]) return;
  const cancel_token token = sources_[deed.on]->token();
  // Stored in its place before its registration: it may run at once, and its action may destroy it.
  auto* const memory = static_cast<callback*>(::operator new(sizeof(callback)));
  callbacks_[place].reset(memory);
  ::new (memory) callback(token, function{this, place, deed});
}

void combined_machine::deafen(std::size_t place) {
  const std::unique_ptr<callback> ended = std::move(callbacks_[place]);
}

std::string combined_machine::heard(std::size_t callback_place, const cancel_reason& why) {
  const auto origin = numbers_.find(why.origin);
  return "callback " + std::to_string(callback_place) + ": " + name_of(why.code) + " because " +
         name_of(why.cause) + " from " +
         std::to_string(origin == numbers_.end() ? -1 : origin->second);
}

void combined_machine::function::operator()(const cancel_reason& why) noexcept {
  // Its action may destroy it.
  combined_machine& self = *machine;
  const combined_deed mine = deed;
  self.say(self.heard(place, why));
  auto& source = self.sources_[mine.argument];
  const std::size_t coro = place_of_coro(mine.argument);
  switch (mine.what) {
    case combined_deed::kind::nothing: return;
    case combined_deed::kind::cancel:
      if (source) source->cancel();
      return;
    case combined_deed::kind::deafen: return self.deafen(coro);
    case combined_deed::kind::resume: return self.say(self.resume(coro));
    case combined_deed::kind::peek: return self.say(self.peek(coro));
    case combined_deed::kind::drop: return source.reset();
  }
}

std::string combined_machine::start(std::size_t place, std::uint16_t value) {
  if (held_[place]) return "occupied";
  std::size_t held = 0;
  for (const bool each : held_) held += each ? 1U : 0U;
  auto got = pool_->acquire<int, int, int>();
  if (!got && held >= options_.max_coros) return refusal(got);
  const combined_script does = combined_script::of(value);
  if (got) {
    coros_[place] = got->detach();
    held_[place] = true;
    auto run = [this, place, does](yielder<int, int>& out) { return run_body(place, does, out); };
    handle started = coros_[place];
    const auto came = started.start(run);
    if (!came.failed()) return answer(came);
    held_[place] = false;
    if (!coros_[place].release()) complain("what could not be started cannot be released");
    memory_.made = false;
    (void)lacks(came.error());
  } else {
    memory_.made = false;
    (void)lacks(got.error());
  }
  return "no memory";
}

std::string combined_machine::resume(std::size_t place) {
  handle resumed = coros_[place];
  return answer(resumed.resume(0));
}

std::string combined_machine::peek(std::size_t place) {
  handle looked_at = coros_[place];
  return answer(looked_at.peek());
}

void combined_machine::tick() {
  ++clock_;
  for (const auto& each : sources_) {
    if (each) each->advance(time_in_units(clock_));
  }
  loop_.settle();
  loop_.pass(unit_ns);
  loop_.settle();
}

void combined_machine::restart() {
  pool_.reset();
  held_.fill(false);
  if (BAST_EXCEPTIONS != 0 && bodies_ != leaked_) complain("F-9: locals are left");
  bodies_ = leaked_ = sunk_ = 0;
  faults_.clear_up();
  for (const handle& each : coros_) {
    if (each.state() != coro_state::free) complain("F-16: a handle outlives its pool");
  }
  make_pool();
}

void combined_machine::reboot() {
  loop_.shut_down();
  loop_.settle();
  loop_.end_children();
  loop_.close();
  faults_.clear_up();
  if (complaint().empty()) make_driver();
}

void combined_machine::end() {
  if (!ready()) faults_.end();
  pool_.reset();
  faults_.end();
  if (loop_.is_open()) {
    loop_.settle();
    loop_.shut_down();
    loop_.end_children();
    if (complaint().empty() && loop_.live() != 0) complain("D1: an end was never reported");
    if (complaint().empty()) {
      if (loop_.open_descriptors() != 0) complain("D6: a descriptor is left");
      loop_.close();
    }
  }
  for (auto& each : sources_) each.reset();
  for (std::size_t place = 0; place < coro_places; ++place) deafen(place);
}

}  // namespace bast::model
