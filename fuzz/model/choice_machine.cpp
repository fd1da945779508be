// SPDX-License-Identifier: Apache-2.0
#include "model/choice_machine.hpp"

#include <algorithm>
#include <utility>

namespace bast::model {

choice_machine::choice_machine(const fault_schedule& faults, unsigned seed) : faults_(faults) {
  bast::internal::seed_choices(seed);
  if (auto made = coro_pool::create()) pool_.emplace(std::move(*made));
  for (std::size_t i = 0; i < choice_places; ++i) {
    places_[i].slot = choice_token(static_cast<int>(i), &destroyed_);
  }
  for (auto& each : objects_.events) each.emplace();
}

choice_machine::~choice_machine() {
  for (std::size_t i = 0; i < choice_places; ++i) (void)unwind(i, i % 2 == 0);
  for (place& each : places_) each.run.reset();
}

std::string choice_machine::perform(const op& o) {
  last_.clear();
  place& at = places_[o.who];
  std::string differs;
  switch (static_cast<choice_op>(o.kind)) {
    case choice_op::arm:
      if (at.arms.size() < choice_arms_max) at.arms.push_back(choice_arm::of(o.value));
      break;
    case choice_op::clear: at.arms.clear(); break;
    case choice_op::perform:
      if (at.run == nullptr && pool_) differs = start(o.who, places_[o.value].arms);
      break;
    case choice_op::poll:
      if (at.run == nullptr) differs = poll_once(o.who);
      break;
    case choice_op::fire:
      objects_.events[o.value]->fire();
      quiet_ = false;
      break;
    case choice_op::renew:
      if (quiet_ && objects_.events[o.value]->waiting() == 0) objects_.events[o.value].emplace();
      break;
    case choice_op::give: {
      const std::size_t which = o.value & 1U;
      auto& permits = objects_.of_permits[which];
      const auto add = [&permits]() noexcept { ++permits.left; };
      (o.value & 2U) != 0 ? permits.queue.wake_all(add) : permits.queue.wake_one(add);
      ++given_[which];
      quiet_ = false;
      break;
    }
    case choice_op::cancel:
      if (at.run != nullptr && at.source) at.source->cancel();
      quiet_ = false;
      break;
    case choice_op::release: differs = unwind(o.who, BAST_EXCEPTIONS == 0); break;
    case choice_op::abandon: differs = unwind(o.who, true); break;
    case choice_op::run: differs = run_all(); break;
  }
  return differs;
}

// --- performs ------------------------------------------------------------------------------------

void choice_machine::prepare(std::size_t who, const std::vector<choice_arm>& arms) {
  place& at = places_[who];
  if (at.slot.number() < 0 && !at.held.empty()) {
    at.slot = std::move(at.held.back());
    at.held.pop_back();
  }
  at.ended.reset();
  at.run = std::make_unique<choice_run>(objects_, arms, at.slot, at.held);
}

std::string choice_machine::start(std::size_t who, const std::vector<choice_arm>& arms) {
  place& at = places_[who];
  // One that has fired governs the next perform too.
  if (!at.source) {
    if (auto made = cancel_source::create()) at.source.emplace(std::move(*made));
  }
  prepare(who, arms);
  auto made = pool_->make([&at] {
    const cancel_binding governed(at.source ? at.source->token() : cancel_token());
    at.ended = bast::perform(at.run->op());
  });
  if (!made) {
    at.run.reset();
    return faults_.was_rough() ? "" : "no coroutine: " + made.error().message();
  }
  const outlook before = look(who);
  at.coroutine.emplace(std::move(*made));
  if (at.coroutine->resume().failed()) {
    at.coroutine.reset();
    at.run.reset();
    return faults_.was_rough() ? "" : "it cannot be resumed";
  }
  std::string differs = judge(at, before);
  // A peer may be able to continue.
  if (at.ended) {
    quiet_ = false;
    if (differs.empty()) differs = finish(who);
  }
  return differs;
}

std::string choice_machine::poll_once(std::size_t who) {
  place& at = places_[who];
  prepare(who, at.arms);
  outlook before = look(who);
  before.cancelled = false;
  before.polls = true;
  at.ended = bast::poll(at.run->op()).value_or(fail(errc::would_block, "poll", "nothing"));
  if (at.ended->has_value() || at.ended->error() != errc::would_block) quiet_ = false;
  const std::string differs = judge(at, before);
  return differs.empty() ? finish(who) : differs;
}

choice_machine::outlook choice_machine::look(std::size_t who) const {
  const place& at = places_[who];
  outlook out{.certain = quiet_,
              .cancelled = at.source && at.source->token().is_cancelled(),
              .polls = false,
              .ready = {}};
  const auto& leaves = at.run->leaves();
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (is_ready(leaves[i], who)) out.ready.push_back(static_cast<int>(i));
  }
  return out;
}

bool choice_machine::is_ready(const choice_run::leaf& leaf, std::size_t who) const {
  switch (leaf.kind) {
    case choice_leaf::send: return linked(choice_leaf::receive, leaf.object, who) != 0;
    case choice_leaf::receive: return linked(choice_leaf::send, leaf.object, who) != 0;
    case choice_leaf::event:
    case choice_leaf::event_too: return objects_.events[leaf.object]->has_fired();
    case choice_leaf::permit: return objects_.of_permits[leaf.object].left != 0;
    case choice_leaf::always:
    case choice_leaf::receive_or_else: return true;
    case choice_leaf::never: break;
  }
  return false;
}

/// By those that wait, in the model.
std::size_t choice_machine::linked(choice_leaf kind, std::size_t object, std::size_t except) const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < choice_places; ++i) {
    const place& each = places_[i];
    if (i == except || each.run == nullptr || each.ended || !each.coroutine) continue;
    for (const auto& leaf : each.run->leaves()) {
      count += leaf.kind == kind && leaf.object == object ? 1U : 0U;
    }
  }
  return count;
}

// E3
std::string choice_machine::judge(const place& p, const outlook& before) const {
  if (before.cancelled) {
    if (!p.ended || *p.ended || p.ended->error() != errc::cancelled) return "it is not cancelled";
    return p.run->any_tried() ? "it has tried an arm, and its token had fired" : "";
  }
  if (!p.ended) {
    return before.certain && (!before.ready.empty() || p.run->may_fail())
               ? "it waits, and an arm is ready or fails"
               : "";
  }
  if (!*p.ended) {
    const bool is_own = p.ended->error() == errc::invalid && p.run->may_fail();
    const bool is_rough = faults_.was_rough() && p.ended->error() == errc::no_memory;
    // Only a poll ends so.
    const bool is_nothing = p.ended->error() == errc::would_block && before.polls &&
                            (!before.certain || (before.ready.empty() && !p.run->may_fail()));
    return is_own || is_rough || is_nothing ? "" : "it fails: " + p.ended->error().message();
  }
  if (!before.certain) return "";
  const int won = **p.ended;
  if (std::ranges::find(before.ready, won) == before.ready.end()) return "it was not ready";
  const auto& leaf = p.run->leaves()[static_cast<std::size_t>(won)];
  for (const int preferred : leaf.after) {
    if (std::ranges::find(before.ready, preferred) != before.ready.end()) {
      return "a leaf that is preferred was ready";
    }
  }
  const bool has_sender =
      leaf.kind == choice_leaf::receive_or_else &&
      linked(choice_leaf::send, leaf.object, static_cast<std::size_t>(&p - places_.data())) != 0;
  return leaf.fell_back && has_sender ? "it fell back, and a sender waits" : "";
}

std::string choice_machine::finish(std::size_t who) {
  place& at = places_[who];
  const bool committed = at.ended->has_value();
  std::string differs = at.run->check(committed ? std::optional(**at.ended) : std::nullopt);
  if (!committed && at.ended->error() == errc::cancelled &&
      !(at.source && at.source->token().is_cancelled())) {
    differs = "cancelled, and its token has not fired";
  }
  if (committed) {
    const auto& leaf = at.run->leaves()[static_cast<std::size_t>(**at.ended)];
    if (leaf.kind == choice_leaf::permit) ++taken_[leaf.object];
  }
  last_ += " " + std::to_string(who) + (committed ? "=" + std::to_string(**at.ended) : "-");
  // A source that has fired governs one more perform, which tries nothing.
  if (at.source && at.source->token().is_cancelled() && !at.run->any_tried()) at.source.reset();
  at.run.reset();
  at.coroutine.reset();
  at.ended.reset();
  return differs;
}

std::string choice_machine::unwind(std::size_t who, bool abandons) {
  place& at = places_[who];
  if (!at.coroutine) return "";
  const result<void> gone = abandons ? at.coroutine->release(abandon) : at.coroutine->release();
  if (!gone) return "it cannot be released: " + gone.error().message();
  if (!abandons) at.run->end_plans();
  std::string differs = abandons ? at.run->check_abandoned()
                        : quiet_ ? at.run->check(std::nullopt)
                                 : at.run->check_released();
  ++unwound_;
  quiet_ = false;
  at.coroutine.reset();
  at.run.reset();
  return differs;
}

// --- when no coroutine can continue --------------------------------------------------------------

std::string choice_machine::run_all() {
  while (loop_.run() != 0) {
  }
  for (std::size_t i = 0; i < choice_places; ++i) {
    if (!places_[i].ended) continue;
    if (std::string differs = finish(i); !differs.empty()) return differs;
  }
  quiet_ = true;
  std::string differs = check_quiet();
  return differs.empty() ? check_tokens() : differs;
}

// E4
std::string choice_machine::check_quiet() const {
  for (std::size_t i = 0; i < choice_places; ++i) {
    const place& each = places_[i];
    if (each.run == nullptr) continue;
    if (each.source && each.source->token().is_cancelled()) {
      return "place " + std::to_string(i) + " waits, and its token has fired";
    }
    for (const auto& leaf : each.run->leaves()) {
      if (is_ready(leaf, i)) return "place " + std::to_string(i) + " waits for what is ready";
    }
  }
  auto& objects = const_cast<choice_objects&>(objects_);
  for (std::size_t i = 0; i < choice_channels; ++i) {
    if (objects.channels[i].sending() != linked(choice_leaf::send, i, choice_places) ||
        objects.channels[i].receiving() != linked(choice_leaf::receive, i, choice_places)) {
      return "what is linked at channel " + std::to_string(i);
    }
  }
  for (std::size_t i = 0; i < choice_events; ++i) {
    if (objects.events[i]->waiting() != linked(choice_leaf::event, i, choice_places)) {
      return "what is linked at event " + std::to_string(i);
    }
  }
  for (std::size_t i = 0; i < choice_permits; ++i) {
    if (objects.of_permits[i].queue.waiting() != linked(choice_leaf::permit, i, choice_places)) {
      return "what is linked at permits " + std::to_string(i);
    }
  }
  return "";
}

// E5
std::string choice_machine::check_tokens() const {
  std::vector<int> all = destroyed_;
  for (const place& each : places_) {
    if (each.slot.number() >= 0) all.push_back(each.slot.number());
    for (const choice_token& token : each.held) all.push_back(token.number());
  }
  std::ranges::sort(all);
  if (all.size() != choice_places) return std::to_string(all.size()) + " tokens";
  for (std::size_t i = 0; i < choice_places; ++i) {
    if (all[i] != static_cast<int>(i)) return "token " + std::to_string(i) + " is not there";
  }
  if (destroyed_.size() > unwound_) return "a token is destroyed, and no stack with it";
  for (std::size_t i = 0; i < choice_permits; ++i) {
    if (given_[i] != taken_[i] + objects_.of_permits[i].left) {
      return "permits " + std::to_string(i) + ": taken " + std::to_string(taken_[i]);
    }
  }
  return "";
}

std::string choice_machine::seen() const {
  std::string out = last_ + " waiting";
  for (std::size_t i = 0; i < choice_places; ++i) {
    if (places_[i].run != nullptr) out += " " + std::to_string(i);
  }
  return out + " destroyed " + std::to_string(destroyed_.size());
}

}  // namespace bast::model
