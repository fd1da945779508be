// SPDX-License-Identifier: Apache-2.0
//
// The language of `timers` programs: sixteen timers of one wheel, each with a deed for the moment
// when it is handed out.
#pragma once

#include "model/program.hpp"

namespace bast::model {

enum class timers_op : std::uint8_t {
  arm,      // timer who, armed or not; value: the time
  advance,  // value: to which time, a whole round
  wake,     // to the time that next_ns() names, or 1 ns before; a whole round
  disarm,   //
  step,     // value: as advance, one call
  deed,     // value: what timer who does when it is handed out
};
inline constexpr std::size_t timers_op_kinds = static_cast<std::size_t>(timers_op::deed) + 1;

extern const language timers_language;

inline constexpr std::size_t timers_places = 16;

/// The time at the beginning: an option.
std::uint64_t timers_start(std::uint16_t options);

/// The value of `arm`, `advance` and `step`: a time, relative to `now` or to another deadline.
struct timers_time {
  enum class kind : std::uint8_t {
    after,   // now and `digit` units of the level
    before,  // now less that
    edge,    // now with `digit` at the level and zeros below, and `less` less
    equal,   // the deadline last given to timer `digit`
  };
  kind form;
  unsigned level;  // 0 .. 10
  unsigned digit;  // 0 .. 63
  unsigned less;   // 0 .. 3

  static timers_time of(std::uint16_t value) {
    return {.form = static_cast<kind>(value & 3U),
            .level = (value >> 2 & 15U) % 11,
            .digit = value >> 6 & 63U,
            .less = value >> 12 & 3U};
  }
  /// Within 0 .. 2^64 - 1. `last_given` are the deadlines last given to the timers.
  std::uint64_t resolve(std::uint64_t now, const std::uint64_t (&last_given)[timers_places]) const;
};

/// The value of `deed`.
struct timers_deed {
  enum class kind : std::uint8_t { nothing, disarm, arm_soon, arm_now };
  kind what;
  std::size_t whom;        // possibly itself
  std::uint64_t delay_ns;  // of arm_soon

  static timers_deed of(std::uint16_t value) {
    return {.what = static_cast<kind>(value & 3U),
            .whom = value >> 2 & 15U,
            .delay_ns = std::uint64_t{value >> 6 & 63U} << (value >> 12 & 15U)};
  }
};

}  // namespace bast::model
