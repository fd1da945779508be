// SPDX-License-Identifier: Apache-2.0
//
// The language of `cancel_order` programs: trees of cancellation, callbacks that do everything that
// a callback may, shields, deadlines on a clock of the program's own. Subjects are places for
// sources, for joined tokens and for callbacks, sixteen of each.
#pragma once

#include "model/program.hpp"

namespace bast::model {

enum class cancel_op : std::uint8_t {
  root,      // a source on its own in place who, unless one is there
  child,     // value: below the source in which place, and whether shielded
  enlist,    // a callback in place who; value: on what, and what it does when it runs
  delist,    //
  cancel,    // value: the code
  drop,      // the source goes; what it holds for others stays
  shield,    // value: on or off
  deadline,  // value: at which time; the last one: never
  advance,   // value: by how much the clock goes on, and is told to every tree
  join,      // value: any_of of two sources or joined tokens, in place who
  forget,    // a joined token goes
  fault,     // value: which allocation fails from here on
  mend,      //
  check,     // every question that can be asked
};
inline constexpr std::size_t cancel_op_kinds = static_cast<std::size_t>(cancel_op::check) + 1;

/// See language::faults.
inline constexpr std::uint32_t cancel_faults = mask_of(cancel_op::fault) | mask_of(cancel_op::mend);

extern const language cancel_language;

inline constexpr std::size_t cancel_places = 16;
/// Time is counted in these, so that deadlines and steps of the clock meet.
inline constexpr long cancel_time_max = 63;

/// What a callback does when it runs, on the place `argument`.
enum class cancel_deed : std::uint8_t {
  nothing,
  cancel,    // a source, perhaps the one that is being cancelled
  delist,    // a callback, perhaps itself
  enlist,    // a callback that does nothing, on what it is itself registered with
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
