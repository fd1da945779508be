// SPDX-License-Identifier: Apache-2.0
#include "model/cancel_model.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace bast::model {

namespace {

told inherited(const told& from) {
  return {.code = cancel_code::parent, .cause = from.cause, .origin = from.origin};
}

told overdue(int n) {
  return {.code = cancel_code::deadline, .cause = cancel_code::deadline, .origin = n};
}

}  // namespace

void cancel_model::perform(const op& o, std::deque<bool> allocations) {
  allocations_ = std::move(allocations);
  events.clear();
  created.clear();
  cancels_won = 0;
  const std::size_t who = o.who;
  switch (static_cast<cancel_op>(o.kind)) {
    case cancel_op::root:
      if (sources_[who] < 0) make_source(who, -1, false);
      break;
    case cancel_op::child: {
      const int parent = sources_[o.value & 15U];
      if (sources_[who] < 0 && parent >= 0) make_source(who, parent, (o.value >> 4 & 1) != 0);
      break;
    }
    case cancel_op::enlist: {
      const cancel_plan plan = cancel_plan::of(o.value);
      const int on = (plan.joined ? joined_ : sources_)[plan.place];
      if (callbacks_[who] < 0 && on >= 0) enlist(who, on, plan);
      break;
    }
    case cancel_op::delist: delist(who); break;
    case cancel_op::cancel: {
      const int n = sources_[who];
      const auto code = static_cast<cancel_code>(1 + o.value);
      if (n >= 0) cancels_won += cancel(n, {.code = code, .cause = code, .origin = n}) ? 1 : 0;
      break;
    }
    case cancel_op::drop: drop(who); break;
    case cancel_op::shield:
      if (sources_[who] >= 0) set_shield(sources_[who], o.value != 0);
      break;
    case cancel_op::deadline:
      if (sources_[who] >= 0) {
        set_deadline(sources_[who], o.value > cancel_time_max ? model_never : o.value);
      }
      break;
    case cancel_op::advance:
      clock_ += o.value;
      for (std::size_t place = 0; place < cancel_places; ++place) {
        if (sources_[place] >= 0) advance(sources_[place], clock_);
      }
      break;
    case cancel_op::join: join(who, cancel_pair::of(o.value)); break;
    case cancel_op::forget: joined_[who] = -1; break;
    case cancel_op::fault:
    case cancel_op::mend:
    case cancel_op::check: break;
  }
}

bool cancel_model::allocated() {
  if (allocations_.empty()) return true;
  const bool worked = allocations_.front();
  allocations_.pop_front();
  return worked;
}

void cancel_model::make_source(std::size_t place, int parent, bool shielded) {
  if (!allocated()) return;
  const int number = static_cast<int>(nodes_.size());
  node made{.parent = parent, .tree = number, .shielded = shielded};
  if (parent >= 0) {
    const node& above = *at(parent);
    made.tree = above.tree;
    if (above.marked && !shielded) {  // C-16
      made.marked = true;
      made.why = inherited(above.why);
    }
  }
  nodes_.push_back(made);
  sources_[place] = number;
  created.push_back(number);
}

void cancel_model::drop(std::size_t place) {
  if (const node* const n = source(place); n != nullptr && n->deadline != model_never) {
    the(n->tree).lost_sight = true;
  }
  sources_[place] = -1;
}

void cancel_model::enlist(std::size_t place, int on, const cancel_plan& plan) {
  const int number = static_cast<int>(records_.size());
  records_.push_back({.place = static_cast<int>(place),
                      .on = on,
                      .plan = plan,
                      .target = -1,
                      .state = phase::waiting});
  callbacks_[place] = number;
  if (!at(on)->marked) return;
  run(static_cast<std::size_t>(number));  // C-6: in the constructor
}

void cancel_model::delist(std::size_t place) {
  if (callbacks_[place] < 0) return;
  records_[static_cast<std::size_t>(callbacks_[place])].state = phase::over;
  callbacks_[place] = -1;
}

void cancel_model::join(std::size_t place, const cancel_pair& of) {
  std::array<int, 2> live{};
  std::size_t count = 0;
  for (const int i : {0, 1}) {
    const int n = (of.joined[i] ? joined_ : sources_)[of.place[i]];
    if (n < 0) continue;
    live[count++] = n;
    if (!at(n)->marked) continue;
    joined_[place] = n;  // C-19: if one fired, it is that one.
    return;
  }
  if (count == 0) return void(joined_[place] = -1);
  if (count == 1) return void(joined_[place] = live[0]);
  if (!allocated()) return;
  const int number = static_cast<int>(nodes_.size());
  nodes_.push_back({.tree = number, .joins = live});
  for (const int on : live) {
    records_.push_back(
        {.place = -1, .on = on, .plan = {}, .target = number, .state = phase::waiting});
  }
  joined_[place] = number;
}

// --- cancelling ----------------------------------------------------------------------------------

void cancel_model::mark(int n, const told& why, fresh& marked) {
  the(n).marked = true;
  the(n).why = why;
  marked.insert(n);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].parent != n || nodes_[i].shielded || nodes_[i].marked) continue;
    mark(static_cast<int>(i), inherited(why), marked);
  }
}

/// Runs the callbacks of the newly marked nodes: those below a node before its own, the newest
/// child first; within a node the newest registration first (C-5).
void cancel_model::run_marked(int top, const fresh& marked) {
  for (int child = static_cast<int>(nodes_.size()); child-- > top + 1;) {
    if (at(child)->parent == top) run_marked(child, marked);
  }
  if (!marked.contains(top)) return;
  for (std::size_t i = records_.size(); i-- > 0;) {
    if (records_[i].state == phase::waiting && records_[i].on == top) run(i);
  }
}

void cancel_model::run(std::size_t which) {
  const record r = records_[which];
  records_[which].state = phase::running;
  const told why = at(r.on)->why;
  if (r.place < 0) {
    if (cancel(r.target, why)) {
      for (record& other : records_) {
        if (other.target == r.target && other.state == phase::waiting) other.state = phase::over;
      }
    }
    records_[which].state = phase::over;
    return;
  }
  events.push_back({.place = r.place, .why = why});
  if (ran) ran(r.place, why);
  const std::size_t other = r.plan.argument;
  switch (r.plan.deed) {
    case cancel_deed::nothing: break;
    case cancel_deed::cancel:
      if (const int n = sources_[other]; n >= 0) cancel(n, {.origin = n});
      break;
    case cancel_deed::delist: delist(other); break;
    case cancel_deed::enlist:
      if (callbacks_[other] < 0) enlist(other, r.on, {});
      break;
    case cancel_deed::drop: drop(other); break;
    case cancel_deed::child:
      if (sources_[other] < 0 && sources_[r.plan.place] >= 0) {
        make_source(other, sources_[r.plan.place], false);
      }
      break;
    case cancel_deed::unshield:
      if (sources_[other] >= 0) set_shield(sources_[other], false);
      break;
    case cancel_deed::forget: joined_[other] = -1; break;
  }
  records_[which].state = phase::over;
}

bool cancel_model::cancel(int n, const told& why) {
  if (at(n)->marked) {
    ++the(n).refused;
    return false;
  }
  fresh marked;
  mark(n, why, marked);
  run_marked(n, marked);
  return true;
}

// --- shields and time ----------------------------------------------------------------------------

void cancel_model::set_shield(int n, bool on) {
  the(n).shielded = on;
  const node* const above = at(at(n)->parent);
  if (on || at(n)->marked || above == nullptr || !above->marked) return;
  fresh marked;
  mark(n, inherited(above->why), marked);
  run_marked(n, marked);
}

void cancel_model::set_deadline(int n, long time) {
  if (at(n)->marked) return;
  the(n).deadline = time;
  if (time > at(at(n)->tree)->now) return;
  fresh marked;
  mark(n, overdue(n), marked);
  run_marked(n, marked);
}

void cancel_model::advance(int n, long now) {
  node& root = the(at(n)->tree);
  now = root.now = std::max(root.now, now);
  int top = n;
  for (int above = n; !at(above)->shielded && at(above)->parent >= 0;) {
    above = at(above)->parent;
    if (at(above)->deadline <= now) top = above;
  }
  std::vector<std::pair<long, int>> due;
  for (int i = top; i < static_cast<int>(nodes_.size()); ++i) {
    if (is_below(i, top) && at(i)->deadline <= now) due.emplace_back(at(i)->deadline, i);
  }
  std::ranges::sort(due);
  fresh marked;
  for (const auto& [time, i] : due) {
    if (!at(i)->marked) mark(i, overdue(i), marked);
  }
  run_marked(top, marked);
}

bool cancel_model::is_below(int number, int top) const {
  while (number > top) number = at(number)->parent;
  return number == top;
}

long cancel_model::deadline_of(int number) const {
  // Everything that a node is below, or joins, is older. So each is visited once.
  std::vector<long> earliest;
  for (int i = 0; i <= number; ++i) {
    const node& n = *at(i);
    long own = n.deadline;
    const auto include = [&](int older) {
      if (older >= 0) own = std::min(own, earliest[static_cast<std::size_t>(older)]);
    };
    if (!n.shielded) include(n.parent);
    for (const int joined : n.joins) include(joined);
    earliest.push_back(own);
  }
  return earliest.back();
}

long cancel_model::next_deadline(std::size_t place) const {
  const int top = sources_[place];
  long earliest = at(top)->marked ? model_never : deadline_of(top);
  for (int i = top; i < static_cast<int>(nodes_.size()); ++i) {
    if (is_below(i, top) && !at(i)->marked) earliest = std::min(earliest, at(i)->deadline);
  }
  return earliest;
}

bool cancel_model::lost_sight(std::size_t place) const {
  return at(source(place)->tree)->lost_sight;
}

}  // namespace bast::model
