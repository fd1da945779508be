// SPDX-License-Identifier: Apache-2.0
//
// The language of `cancel_order` programs: trees of cancellation, callbacks with every legal
// action, shields, deadlines on a simulated clock. Subjects are places for sources, for joined
// tokens and for callbacks, sixteen of each.
#pragma once

#include "model/program.hpp"

namespace bast::model {

enum class cancel_op : std::uint8_t {
  root,      // a separate source in place who, unless one exists
  child,     // value: below the source in which place, and whether shielded
  enlist,    // a callback in place who; value: on what, and its action
  delist,    //
  cancel,    // value: the code
  drop,      // destroys the source; its nodes for others stay
  shield,    // value: on or off
  deadline,  // value: at which time; the last one: never
  advance,   // value: advances the clock, in every tree
  join,      // value: any_of of two sources or joined tokens, in place who
  forget,    // destroys a joined token
  fault,     // value: which allocation fails from here on
  mend,      //
  check,     // every query
};
inline constexpr std::size_t cancel_op_kinds = static_cast<std::size_t>(cancel_op::check) + 1;

/// See language::faults.
inline constexpr std::uint32_t cancel_faults = mask_of(cancel_op::fault) | mask_of(cancel_op::mend);

extern const language cancel_language;

inline constexpr std::size_t cancel_places = 16;
/// The unit of time, so that deadlines and steps of the clock meet.
inline constexpr long cancel_time_max = 63;

/// The action of a callback when it runs, on the place `argument`.
enum class cancel_deed : std::uint8_t {
  nothing,
  cancel,    // a source, possibly the one being cancelled
  delist,    // a callback, possibly itself
  enlist,    // a callback without an action, with the token of this one
  drop,      // a source
  child,     // of the source in its own place
  unshield,  // a source
  forget,    // a joined token
};

/// The value of `enlist`.
struct cancel_plan {
  std::size_t place;  // of the source or joined token
  bool joined;        // which of the two
  cancel_deed deed;
  std::size_t argument;  // a place

  static cancel_plan of(std::uint16_t value) {
    return {.place = value & 15U,
            .joined = (value >> 4 & 1) != 0,
            .deed = static_cast<cancel_deed>(value >> 5 & 7),
            .argument = value >> 8 & 15U};
  }
};

/// The value of `join`: two of either kind.
struct cancel_pair {
  std::size_t place[2];
  bool joined[2];

  static cancel_pair of(std::uint16_t value) {
    return {.place = {value & 15U, value >> 5 & 15U},
            .joined = {(value >> 4 & 1) != 0, (value >> 9 & 1) != 0}};
  }
};

}  // namespace bast::model
