// SPDX-License-Identifier: Apache-2.0
//
// Choices that sequential consistency does not have, and load buffering: the third part of
// `machine`.
#include <algorithm>

#include "interleave/machine.hpp"

namespace bast::interleave::internal {

std::size_t machine::depart(std::size_t count, departure how) {
  if (count == 1 || impossible_) return 0;
  const std::size_t taken = schedule_.choose_departure(count);
  if (!schedule_.complaint().empty()) {
    fail(schedule_.complaint());
    return 0;
  }
  if (taken != 0) departed_ = how;
  return taken;
}

std::uint64_t machine::depart_and_promise(std::size_t count, bool& promised) {
  if (impossible_) return 0;
  const std::uint64_t taken = schedule_.choose_load(count, promised);
  if (!schedule_.complaint().empty()) {
    fail(schedule_.complaint());
    return 0;
  }
  if (promised || taken != 0) departed_ = promised ? departure::later : departure::old;
  return taken;
}

void machine::add_fence() {
  clock all = me().seen;
  if (!fences_.empty()) all.join(fences_.back());
  fences_.push_back(all);
  me().seen.fences = static_cast<std::uint32_t>(fences_.size());
}

bool machine::has_promised() const noexcept {
  return std::ranges::any_of(open_loads_, &pending_load::promised);
}

void machine::open_load(const void* object, bool acquires, bool promised, std::uint64_t value) {
  if (impossible_) return;
  open_loads_.push_back(
      {object, running_, me().seen.at[running_], acquires, promised, value, schedule_.position()});
}

void machine::close_loads(const void* object) {
  const auto ends = [&](const pending_load& l) {
    return l.thread == running_ && (object == nullptr || l.object == object);
  };
  const bool breaks = std::ranges::any_of(
      open_loads_, [&](const pending_load& l) { return l.promised && ends(l); });
  if (breaks) return void(proves_nothing());
  std::erase_if(open_loads_, ends);
}

void machine::forget_loads(const void* object) noexcept {
  std::erase_if(open_loads_, [&](pending_load& l) {
    if (l.object == object) l.object = nullptr;  // A promise stays, and cannot be kept any more.
    return l.object == nullptr && !l.promised;
  });
}

bool machine::can_read(const pending_load& load, const store& s) const noexcept {
  if (load.acquires && s.published != clock{}) return false;
  for (unsigned i = 0; i <= spawned_; ++i) {
    if (i != load.thread && threads_[i].seen.at[load.thread] >= load.at) return false;
  }
  return true;
}

void machine::foresee(const void* object, store& s, std::uint64_t value) {
  std::erase_if(open_loads_, [&](const pending_load& l) {
    if (l.object != object || l.thread == running_ || !can_read(l, s)) return false;
    if (l.promised && l.value == value) {
      s.seen_by[l.thread] = l.at;
      threads_[l.thread].acquired.join(s.published);
      return true;
    }
    if (!l.promised && l.value != value) schedule_.foresee(l.position, value);
    return false;
  });
}

}  // namespace bast::interleave::internal
