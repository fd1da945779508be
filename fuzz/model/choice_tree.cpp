// SPDX-License-Identifier: Apache-2.0
#include "model/choice_tree.hpp"

#include <algorithm>

namespace bast::model {

namespace {

bool contains(const std::vector<int>& all, std::optional<int> one) {
  return one && std::ranges::find(all, *one) != all.end();
}

std::string wrong(const char* what, std::size_t which, int seen) {
  return std::string(what) + " of wrapping " + std::to_string(which) + ": " + std::to_string(seen);
}

}  // namespace

choice_run::choice_run(choice_objects& objects, const std::vector<choice_arm>& arms,
                       choice_token& slot, std::vector<choice_token>& received)
    : objects_(objects), slot_(slot), received_(received) {
  struct part {
    any_op op;
    std::vector<int> leaves;
  };
  for (const choice_arm& arm : arms) {
    leaf made;
    made.kind = arm.leaf;
    made.object = arm.object;
    // A place without a token receives.
    if (made.kind == choice_leaf::send && slot.number() < 0) made.kind = choice_leaf::receive;
    if (made.kind == choice_leaf::event_too) made.kind = choice_leaf::event;
    made.object %= made.kind == choice_leaf::event    ? choice_events
                   : made.kind == choice_leaf::permit ? choice_permits
                                                      : choice_channels;
    leaves_.push_back(made);
  }
  std::vector<part> parts;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const int number = static_cast<int>(i);
    part made{wrapped(leaf_op(number), arms[i].inner, {number}), {number}};
    const bool joins = arms[i].join >= choice_join::nested && !parts.empty();
    if (joins) {
      const part before = parts.back();
      parts.pop_back();
      const bool biased = arms[i].join == choice_join::biased;
      if (biased) leaves_[i].after = before.leaves;
      made.op = biased ? keep(choice_biased(before.op, made.op)) : keep(choice(before.op, made.op));
      made.leaves.insert(made.leaves.end(), before.leaves.begin(), before.leaves.end());
    }
    made.op = wrapped(made.op, arms[i].outer, made.leaves);
    parts.push_back(made);
  }
  op_ = keep(never_ready<int>());
  for (const part& each : parts) op_ = keep(choice(*op_, each.op));
}

any_op choice_run::leaf_op(int number) {
  leaf& mine = leaves_[static_cast<std::size_t>(number)];
  const auto committed = [&mine, number] {
    ++mine.commits;
    return number;
  };
  const auto received = [this, committed](choice_token token) {
    received_.push_back(std::move(token));
    return committed();
  };
  auto& channel = objects_.channels[mine.object % choice_channels];
  switch (mine.kind) {
    case choice_leaf::send: return keep(wrap(channel.send(slot_), committed));
    case choice_leaf::receive: return keep(wrap(channel.receive(), received));
    case choice_leaf::event:
    case choice_leaf::event_too:
      return keep(wrap(objects_.events[mine.object]->happened(), committed));
    case choice_leaf::permit: {
      auto& permits = objects_.of_permits[mine.object];
      return keep(wrap(retry_on(permits.queue,
                                [&permits]() noexcept {
                                  if (permits.left == 0) return false;
                                  --permits.left;
                                  return true;
                                }),
                       committed));
    }
    case choice_leaf::always: return keep(wrap(always(), committed));
    case choice_leaf::receive_or_else:
      return keep(or_else(wrap(channel.receive(), received), [&mine, committed] {
        mine.fell_back = true;
        return committed();
      }));
    case choice_leaf::never: break;
  }
  return keep(never_ready<int>());
}

any_op choice_run::wrapped(any_op op, choice_wrapping what, const std::vector<int>& leaves) {
  if (what == choice_wrapping::none) return op;
  wrapping& mine = wrappings_.emplace_back();
  mine.what = what;
  mine.leaves = leaves;
  const auto tried = [&mine, op] {
    ++mine.tried;
    return op;
  };
  switch (what) {
    case choice_wrapping::wrap:
      return keep(wrap(op, [&mine](int number) {
        ++mine.done;
        return number;
      }));
    case choice_wrapping::guard: return keep(guard(tried));
    case choice_wrapping::nack:
      return keep(with_nack([&mine, tried](const nack& told) {
        mine.told = told;
        return tried();
      }));
    case choice_wrapping::abort:
      return keep(on_abort(guard(tried), [&mine]() noexcept { ++mine.lost; }));
    case choice_wrapping::bracket:
      return keep(bracket(
          [&mine] {
            ++mine.tried;
            return result<int>(1);
          },
          [op](int& /*resource*/) { return op; },
          [&mine](int& /*resource*/, bool aborted) noexcept {
            ++(aborted ? mine.lost : mine.done);
          }));
    case choice_wrapping::last:
      return keep(finally(guard(tried),
                          [&mine](bool aborted) noexcept { ++(aborted ? mine.lost : mine.done); }));
    case choice_wrapping::failing_guard:
      may_fail_ = true;
      return keep(guard([&mine]() -> result<any_op> {
        ++mine.tried;
        return fail(errc::invalid, "guard", "it fails");
      }));
    case choice_wrapping::none: break;
  }
  return op;
}

bool choice_run::any_tried() const {
  return std::ranges::any_of(wrappings_, [](const wrapping& w) { return w.tried != 0; });
}

std::string choice_run::check(std::optional<int> winner) const {
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    const int expected = winner == static_cast<int>(i) ? 1 : 0;
    if (leaves_[i].commits != expected) {
      return "leaf " + std::to_string(i) + " committed " +
             std::to_string(leaves_[i].commits);  // E1
    }
  }
  for (std::size_t i = 0; i < wrappings_.size(); ++i) {
    const wrapping& w = wrappings_[i];
    const int wins = contains(w.leaves, winner) ? 1 : 0;
    if (w.tried > 1) return wrong("tries", i, w.tried);
    const bool counts_tries = w.what != choice_wrapping::wrap;
    if (counts_tries && wins > w.tried) return wrong("untried, and has won: tries", i, w.tried);
    const int loses = w.tried - (counts_tries ? wins : 0);
    const bool releases = w.what == choice_wrapping::bracket || w.what == choice_wrapping::last;
    const bool tells = releases || w.what == choice_wrapping::abort;
    if (w.lost != (tells ? loses : 0)) return wrong("losses", i, w.lost);  // E2
    const int done = releases || w.what == choice_wrapping::wrap ? wins : 0;
    if (w.done != done) return wrong("commits", i, w.done);
    if (w.told && w.told->has_fired() != (loses != 0)) return wrong("nack", i, !loses);
  }
  return "";
}

std::string choice_run::check_released() const {
  std::vector<int> not_lost;
  bool first = true;
  for (std::size_t i = 0; i < wrappings_.size(); ++i) {
    const wrapping& w = wrappings_[i];
    if (w.tried > 1 || w.lost + w.done > 1) return wrong("ends", i, w.lost + w.done);
    const bool releases = w.what == choice_wrapping::bracket || w.what == choice_wrapping::last;
    if (releases && w.lost + w.done != w.tried) return wrong("ends", i, w.lost + w.done);
    const bool wins =
        w.tried != 0 && (releases ? w.done != 0
                                  : (w.what == choice_wrapping::abort && w.lost == 0) ||
                                        (w.told && !w.told->has_fired()));
    if (!wins) continue;
    if (first) not_lost = w.leaves;
    std::erase_if(not_lost, [&](int one) { return !contains(w.leaves, one); });
    if (not_lost.empty()) return wrong("two have won; one", i, w.done);
    first = false;
  }
  return "";
}

std::string choice_run::check_abandoned() const {
  for (std::size_t i = 0; i < wrappings_.size(); ++i) {
    const wrapping& w = wrappings_[i];
    if (w.lost + w.done != 0) return wrong("told on an abandoned stack", i, w.lost + w.done);
  }
  return "";
}

}  // namespace bast::model
