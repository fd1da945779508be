// SPDX-License-Identifier: Apache-2.0
#include "model/timers_machine.hpp"

#include <algorithm>

namespace bast::model {

namespace {

std::string differ(const char* what, std::uint64_t seen, std::uint64_t expected) {
  return std::string(what) + " " + std::to_string(seen) + ", expected " + std::to_string(expected);
}

}  // namespace

timers_machine::timers_machine(std::uint64_t start) : wheel_(start), model_(start) {
  for (std::size_t i = 0; i < subjects_.size(); ++i) subjects_[i].place = i;
}

timers_machine::~timers_machine() {
  for (subject& each : subjects_) wheel_.disarm(each);
}

std::string timers_machine::perform(const op& o) {
  handed_out_.clear();
  std::string differs;
  const auto time = timers_time::of(o.value).resolve(model_.now(), last_given_);
  switch (static_cast<timers_op>(o.kind)) {
    case timers_op::arm: differs = arm(o.who, time); break;
    case timers_op::advance: differs = round(time); break;
    case timers_op::wake: {
      const std::uint64_t next = wheel_.next_ns();
      differs = round(next - std::min<std::uint64_t>(next, o.value));
      break;
    }
    case timers_op::disarm: differs = disarm(o.who); break;
    case timers_op::step: {
      bool found = false;
      differs = step(time, found);
      break;
    }
    case timers_op::deed: subjects_[o.who].deed = timers_deed::of(o.value); break;
  }
  return differs.empty() ? compare() : differs;
}

std::string timers_machine::arm(std::size_t who, std::uint64_t at) {
  std::string differs = disarm(who);
  wheel_.arm(subjects_[who], at);
  model_.arm(who, at);
  last_given_[who] = at;
  return differs;
}

std::string timers_machine::disarm(std::size_t who) {
  const bool expected = model_.armed(who);
  model_.disarm(who);
  exact_ = model_.empty() || (exact_ && !expected);
  const bool was_armed = wheel_.disarm(subjects_[who]);
  return was_armed == expected ? "" : differ("disarm returns", was_armed, expected);
}

std::string timers_machine::step(std::uint64_t now, bool& found) {
  const std::uint64_t before = model_.now();
  const bool in_vain = now >= before && wheel_.next_ns() <= now && model_.earliest() > now;
  bast::internal::timer* const seen = wheel_.advance(now);
  const auto expected = model_.advance(now);
  exact_ |= model_.empty();
  found = seen != nullptr;
  if (found != expected.has_value()) return differ("found", found, expected.has_value());
  if (found) {
    const subject& handed_out = *static_cast<subject*>(seen);
    if (handed_out.place != *expected) return differ("timer", handed_out.place, *expected);
    if (seen->at_ns() > now) return differ("early: deadline", seen->at_ns(), now);
    handed_out_ += " " + std::to_string(handed_out.place);
    return do_deed(handed_out);
  }
  if (in_vain && wheel_.next_ns() != model_.earliest()) {
    return differ("next_ns after a vain wake", wheel_.next_ns(), model_.earliest());
  }
  return "";
}

std::string timers_machine::round(std::uint64_t now) {
  std::string differs;
  bool found = true;
  // A round hands out each timer once, after the rest of the round before.
  for (std::size_t left = 2 * timers_places + 1; found && differs.empty(); --left) {
    if (left == 0) return "a round does not end";
    differs = step(now, found);
    if (differs.empty()) differs = compare();
  }
  return differs;
}

std::string timers_machine::do_deed(const subject& handed_out) {
  const timers_deed& deed = handed_out.deed;
  const std::uint64_t now = model_.now();
  switch (deed.what) {
    case timers_deed::kind::nothing: return "";
    case timers_deed::kind::disarm: return disarm(deed.whom);
    case timers_deed::kind::arm_soon:
      return arm(deed.whom, deed.delay_ns > UINT64_MAX - now ? UINT64_MAX : now + deed.delay_ns);
    case timers_deed::kind::arm_now: return arm(deed.whom, now);
  }
  return "";
}

std::string timers_machine::compare() const {
  wheel_.check_invariants();
  if (wheel_.now_ns() != model_.now()) return differ("now", wheel_.now_ns(), model_.now());
  if (wheel_.empty() != model_.empty()) return differ("empty", wheel_.empty(), model_.empty());
  for (std::size_t i = 0; i < timers_places; ++i) {
    const bool armed = bast::internal::wheel::armed(subjects_[i]);
    if (armed != model_.armed(i)) return differ("armed", armed, model_.armed(i));
  }
  const std::uint64_t bound = wheel_.next_ns();
  const std::uint64_t exact = model_.earliest();
  if (exact_ && !model_.any_due() && bound != exact) return differ("next_ns", bound, exact);
  if (bound > exact) return differ("next_ns is late:", bound, exact);
  if (model_.empty() && bound != UINT64_MAX) return differ("next_ns", bound, UINT64_MAX);
  if (!model_.in_round() && !model_.any_due() && !model_.empty() && bound <= model_.now()) {
    return differ("next_ns has passed:", bound, exact);
  }
  return "";
}

std::string timers_machine::seen() const {
  std::string out = std::to_string(wheel_.now_ns()) + " next " + std::to_string(wheel_.next_ns()) +
                    " handed out" + handed_out_ + " armed";
  for (const subject& each : subjects_) {
    if (bast::internal::wheel::armed(each)) out += " " + std::to_string(each.place);
  }
  return out;
}

}  // namespace bast::model
