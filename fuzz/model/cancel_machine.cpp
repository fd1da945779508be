// SPDX-License-Identifier: Apache-2.0
#include "model/cancel_machine.hpp"

#include <algorithm>
#include <utility>

namespace bast::model {

namespace {

time_point time_of(long units) {
  return units == cancel_model::model_never ? never : time_point(std::chrono::seconds(units));
}

std::string to_text(const told& why) {
  return std::string(name_of(why.code)) + " because " + name_of(why.cause) + ", from " +
         std::to_string(why.origin);
}

}  // namespace

// --- operations ----------------------------------------------------------------------------------

std::deque<bool> cancel_machine::perform(const op& o) {
  entries_.clear();
  created_.clear();
  allocations_.clear();
  won_ = false;
  const std::size_t who = o.who;
  std::optional<cancel_source>& source = sources_[who];
  switch (static_cast<cancel_op>(o.kind)) {
    case cancel_op::root: make_source(who, nullptr, false); break;
    case cancel_op::child:
      if (const auto& parent = sources_[o.value & 15U]) {
        make_source(who, &*parent, (o.value >> 4 & 1) != 0);
      }
      break;
    case cancel_op::enlist: {
      const cancel_plan plan = cancel_plan::of(o.value);
      enlist(who, token_of(plan.place, plan.joined), plan);
      break;
    }
    case cancel_op::delist: delist(who); break;
    case cancel_op::cancel:
      if (source) won_ = source->cancel({.code = static_cast<cancel_code>(1 + o.value)});
      break;
    case cancel_op::drop: source.reset(); break;
    case cancel_op::shield:
      if (source) source->set_shield(o.value != 0);
      break;
    case cancel_op::deadline:
      if (source) {
        source->set_deadline(
            time_of(o.value > cancel_time_max ? cancel_model::model_never : o.value));
      }
      break;
    case cancel_op::advance:
      clock_ += o.value;
      for (const auto& each : sources_) {
        if (each) each->advance(time_of(clock_));
      }
      break;
    case cancel_op::join: join(who, cancel_pair::of(o.value)); break;
    case cancel_op::forget: joined_[who] = {}; break;
    case cancel_op::fault: faults_.spoil(o.value); break;
    case cancel_op::mend: faults_.mend(); break;
    case cancel_op::check: break;
  }
  return allocations_;
}

cancel_token cancel_machine::token_of(std::size_t place, bool joined) const {
  if (joined) return joined_[place];
  return sources_[place] ? sources_[place]->token() : cancel_token();
}

template <class T>
bool cancel_machine::accept(const result<T>& made) {
  allocations_.push_back(made.has_value());
  if (made) return true;
  if (!faults_.is_rough() || made.error() != errc::no_memory) {
    complaint_ = made.error().message();
  }
  return false;
}

void cancel_machine::make_source(std::size_t place, const cancel_source* parent, bool shielded) {
  if (sources_[place]) return;
  const cancel_source_options options{.shielded = shielded};
  auto made = parent != nullptr ? parent->child(options) : cancel_source::create(options);
  if (!accept(made)) return;
  created_.push_back(made->id());
  sources_[place].emplace(std::move(*made));
}

void cancel_machine::enlist(std::size_t place, cancel_token token, const cancel_plan& plan) {
  if (callbacks_[place] || !token.can_be_cancelled()) return;
  // Stored in its place before its registration: it may run at once, and its action may destroy it.
  auto* const memory = static_cast<callback*>(::operator new(sizeof(callback)));
  callbacks_[place].reset(memory);
  ::new (memory) callback(token, function{this, static_cast<int>(place), token, plan});
}

void cancel_machine::delist(std::size_t place) {
  const std::unique_ptr<callback> ended = std::move(callbacks_[place]);
}

void cancel_machine::join(std::size_t place, const cancel_pair& of) {
  const cancel_token both[] = {token_of(of.place[0], of.joined[0]),
                               token_of(of.place[1], of.joined[1])};
  const bool allocates = both[0].can_be_cancelled() && both[1].can_be_cancelled() &&
                         !both[0].is_cancelled() && !both[1].is_cancelled();
  auto made = cancel_token::any_of(both);
  if (allocates ? !accept(made) : !made.has_value()) return;
  joined_[place] = std::move(*made);
}

void cancel_machine::function::operator()(const cancel_reason& why) noexcept {
  // Its action may destroy it.
  cancel_machine& self = *machine;
  const cancel_plan mine = plan;
  const cancel_token registered = token;
  self.entries_.push_back({place, why});
  self.do_deed(mine, registered);
}

void cancel_machine::do_deed(const cancel_plan& plan, const cancel_token& token) {
  const std::size_t other = plan.argument;
  switch (plan.deed) {
    case cancel_deed::nothing: break;
    case cancel_deed::cancel:
      if (sources_[other]) sources_[other]->cancel();
      break;
    case cancel_deed::delist: delist(other); break;
    case cancel_deed::enlist: enlist(other, token, {}); break;
    case cancel_deed::drop: sources_[other].reset(); break;
    case cancel_deed::child:
      if (sources_[plan.place]) make_source(other, &*sources_[plan.place], false);
      break;
    case cancel_deed::unshield:
      if (sources_[other]) sources_[other]->set_shield(false);
      break;
    case cancel_deed::forget: joined_[other] = {}; break;
  }
}

void cancel_machine::end() {
  for (auto& each : joined_) each = {};
  for (auto& each : sources_) each.reset();
  for (std::size_t place = 0; place < cancel_places; ++place) delist(place);
}

// --- comparison ----------------------------------------------------------------------------------

std::string cancel_machine::compare(const cancel_model& expected) {
  if (!complaint_.empty()) return complaint_;
  if (created_.size() != expected.created.size()) return "another number of sources was made";
  for (std::size_t i = 0; i < created_.size(); ++i) numbers_[created_[i]] = expected.created[i];
  if (won_ != (expected.cancels_won != 0)) return won_ ? "C-2: cancel won" : "C-2: cancel lost";
  for (std::size_t i = 0; i < std::max(entries_.size(), expected.events.size()); ++i) {
    const std::string number = "callback run " + std::to_string(i) + ": ";
    if (i == entries_.size()) {
      return "C-6: " + number + std::to_string(expected.events[i].place) + " did not run";
    }
    if (i == expected.events.size()) {
      return "C-6: " + number + std::to_string(entries_[i].place) + " ran";
    }
    if (entries_[i].place != expected.events[i].place) {
      return "C-5: " + number + std::to_string(entries_[i].place) + ", not " +
             std::to_string(expected.events[i].place);
    }
    const std::string differs = compare_reason(
        entries_[i].why, {.parent = -1, .marked = true, .why = expected.events[i].why});
    if (!differs.empty()) return number + differs;
  }
  for (std::size_t place = 0; place < cancel_places; ++place) {
    const std::string where = "place " + std::to_string(place) + ": ";
    if (std::string differs = compare_source(place, expected); !differs.empty()) {
      return where + differs;
    }
    const cancel_model::node* const joined = expected.joined(place);
    if (joined_[place].can_be_cancelled() != (joined != nullptr)) return where + "joined or not";
    if (joined == nullptr) continue;
    if (joined_[place].deadline() != time_of(expected.deadline_of(expected.joined_number(place)))) {
      return where + "C-14: another deadline";
    }
    if (std::string differs = compare_reason(joined_[place].reason(), *joined); !differs.empty()) {
      return where + "C-19: " + differs;
    }
  }
  return {};
}

std::string cancel_machine::compare_reason(const std::optional<cancel_reason>& seen,
                                           const cancel_model::node& expected) const {
  if (seen.has_value() != expected.marked) {
    return seen ? "C-4: is cancelled" : "C-4: is not cancelled";
  }
  if (!seen) return {};
  const auto origin = numbers_.find(seen->origin);
  const told why{.code = seen->code,
                 .cause = seen->cause,
                 .origin = origin == numbers_.end() ? -1 : origin->second};
  if (why == expected.why) return {};
  return "C-2: " + to_text(why) + "; not " + to_text(expected.why);
}

std::string cancel_machine::compare_source(std::size_t place, const cancel_model& expected) const {
  const auto& source = sources_[place];
  const cancel_model::node* const wanted = expected.source(place);
  if (source.has_value() != (wanted != nullptr)) return "a source or none";
  if ((callbacks_[place] != nullptr) != expected.has_callback(place)) return "a callback or none";
  if (!source) return {};
  if (source->is_cancelled() != wanted->marked) return "C-4: is_cancelled";
  if (std::string differs = compare_reason(source->reason(), *wanted); !differs.empty()) {
    return differs;
  }
  if (source->refused() != wanted->refused) return "C-2: refused reasons are miscounted";
  if (source->deadline() != time_of(expected.deadline_of(expected.number_of(place))))
    return "C-14: another deadline";
  if (!expected.lost_sight(place) &&
      source->next_deadline() != time_of(expected.next_deadline(place))) {
    return "C-14: another next deadline";
  }
  return {};
}

std::string cancel_machine::seen() const {
  std::string out = won_ ? "won" : "";
  for (const bool worked : allocations_) out += worked ? " made" : " refused";
  for (const entry& e : entries_) {
    out += " " + std::to_string(e.place) + " " + name_of(e.why.code) + " " + name_of(e.why.cause);
  }
  for (const auto& source : sources_) {
    if (!source) continue;
    const auto why = source->reason();
    out += std::string("; ") + (why ? name_of(why->code) : "not cancelled") + " " +
           std::to_string(source->refused()) + " " +
           std::to_string(source->deadline().time_since_epoch().count()) + " " +
           std::to_string(source->next_deadline().time_since_epoch().count());
  }
  return out;
}

}  // namespace bast::model
