// SPDX-License-Identifier: Apache-2.0
//
// The language of `scope` programs: sixteen scripts, each the operations of one `who` in their
// order, run by fibers of one worker. Fiber 0 exists from the beginning; each other script is run
// when an operation spawns it, at most once.
//
// `open`, `limit`, `shield` and `bind` begin a block, which ends with the next `end` that no other
// block took, or with the script. What follows the `end` of a scope is played by its defers, each
// up to an `end` of its own, and only then by the code around the scope.
//
// A scope is named by its distance: 0 is the innermost, 1 the one around it.
#pragma once

#include "model/program.hpp"

namespace bast::model {

enum class scope_op : std::uint8_t {
  spawn,     // value: the script, and spawn_value
  open,      // a scope: open_value
  end,       // of a block, a defer or the script; value: an end_value
  wait,      // value: a wait_value and the distance; a cancellation ends it, or the program's end
  cancel,    // value: the distance
  yield,     //
  check,     // a checkpoint
  join,      // value: whose handle; it may be empty, or the caller's own
  drop,      // value: whose handle
  defer,     // value: the distance, and 4 if it plays
  forget,    // value: the distance, and which of its defers
  close,     // value: the distance
  await,     // scope::join(); value: the distance
  watch,     // value: the distance, and watch_value
  deadline,  // value: the distance, and a deadline_value
  limit,     // a block with a deadline; value: a deadline_value, and 4 for move_on_at
  shield,    // a block that is not cancelled from outside
  bind,      // a block under the script's own token
  fire,      // value: the script whose own token fires
  stop,      // the whole runtime is cancelled
  nest,      // a coroutine that the fiber resumes does what follows, unless it is a block
};
inline constexpr std::size_t scope_op_kinds = static_cast<std::size_t>(scope_op::nest) + 1;

/// Bits of `spawn`, above those of the script.
struct spawn_value {
  static constexpr unsigned by_scope = 16;  // scope::spawn, at the distance of the next two bits
  static constexpr unsigned distance_shift = 5;
  static constexpr unsigned daemon = 128;
  static constexpr unsigned unless_cancelled = 256;  // by_scope only
  static constexpr unsigned plain = 512;             // returns no result: fails by exceptions alone
  static constexpr unsigned concurrent = 1024;       // unless by_scope
};
struct open_value {
  static constexpr unsigned supervise = 1;
  static constexpr unsigned shielded = 2;
  static constexpr unsigned no_grace = 4;
  static constexpr unsigned report = 8;
  static constexpr unsigned deadline_shift = 4;  // a deadline_value
};
enum class deadline_value : std::uint8_t { never, far, passed, passed_too };
enum class end_value : std::uint8_t { value, failure, cancelled, exception };
/// through_scope: by scope::perform.
enum class wait_value : std::uint8_t { gate, sleep, either, through_scope };
struct watch_value {
  static constexpr unsigned fault = 4;  // else idle
  static constexpr unsigned waits = 8;  // else it is polled
};

extern const language scope_language;

inline constexpr std::size_t scope_scripts = 16;

}  // namespace bast::model
