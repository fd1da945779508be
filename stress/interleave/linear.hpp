// SPDX-License-Identifier: Apache-2.0
//
// Linearisability of short histories: whether the calls of a schedule can be put into one order
// that a sequential object allows, where a call that ended before another one began comes before it
// (Herlihy and Wing, TOPLAS 1990). By trying, which a dozen calls permit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bast::interleave {

struct call {
  enum class kind : std::uint8_t { push, pop } what;
  int value;
  bool succeeded;
};

class history_of_calls {
 public:
  /// At the start of a call: the argument of end().
  std::size_t begin() { return clock_++; }
  void end(std::size_t began, const call& c) { calls_.push_back({c, began, clock_++}); }

  /// `Object` has apply(call), which is false if the call is not possible now, and is copied.
  template <class Object>
  bool is_linearisable(const Object& object) const {
    return place(object, std::vector<bool>(calls_.size()), calls_.size());
  }

 private:
  struct timed {
    call does;
    std::size_t began;
    std::size_t ended;
  };

  template <class Object>
  bool place(const Object& object, const std::vector<bool>& placed, std::size_t left) const {
    if (left == 0) return true;
    std::size_t first_end = clock_;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (!placed[i] && calls_[i].ended < first_end) first_end = calls_[i].ended;
    }
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (placed[i] || calls_[i].began > first_end) continue;
      Object after = object;
      if (!after.apply(calls_[i].does)) continue;
      std::vector<bool> with = placed;
      with[i] = true;
      if (place(after, with, left - 1)) return true;
    }
    return false;
  }

  std::vector<timed> calls_;
  std::size_t clock_ = 0;
};

}  // namespace bast::interleave
