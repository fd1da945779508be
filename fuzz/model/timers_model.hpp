// SPDX-License-Identifier: Apache-2.0
//
// What a wheel of timers must do, without any structure: a flat list that is searched.
//
//   T1  The next one handed out has the earliest deadline, and of equal ones was armed first.
//   T2  A deadline that has passed when it is armed counts as the current time; its timer waits for
//       the next round.
//   T3  A round ends when no timer of it is left. A call with a later time first ends the round.
//   T4  The time never goes back.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "model/timers_language.hpp"

namespace bast::model {

class timers_model {
 public:
  explicit timers_model(std::uint64_t start) : now_(start) {}

  void arm(std::size_t who, std::uint64_t at);
  void disarm(std::size_t who) { timers_[who].armed = false; }
  std::optional<std::size_t> advance(std::uint64_t now);

  bool armed(std::size_t who) const { return timers_[who].armed; }
  bool empty() const;
  std::uint64_t now() const { return now_; }
  /// The earliest deadline, where one that has passed counts as now; the last time if none.
  std::uint64_t earliest() const;
  /// A timer is due, in this round or the next.
  bool any_due() const { return !empty() && earliest() == now_; }
  /// The last call of advance() that did not go back returned a timer.
  bool in_round() const { return in_round_; }

 private:
  struct entry {
    bool armed = false;
    bool waits = false;       // for the next round
    std::uint64_t at = 0;     // T2
    std::uint64_t order = 0;  // of arming
  };
  std::optional<std::size_t> take();

  std::uint64_t now_;
  std::uint64_t order_ = 0;
  bool in_round_ = false;
  std::array<entry, timers_places> timers_;
};

}  // namespace bast::model
