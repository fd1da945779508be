// SPDX-License-Identifier: Apache-2.0
//
// The language of `sched` programs: sixteen scripts, each the operations of one `who` in their
// order, run by fibers of one worker. Fiber 0 exists from the beginning; each other script is run
// when an operation spawns it, at most once.
#pragma once

#include "model/program.hpp"

namespace bast::model {

enum class sched_op : std::uint8_t {
  spawn,    // value: the script; it may be started already
  join,     // value: whose handle; it may be empty, or the caller's own
  drop,     // value: whose handle
  yield,    //
  send,     // value: to which of the channels
  receive,  // value: from which
  choose,   // value: a send and a receive, or two of either
  poll,     // value: as choose, without waiting
  first,    // value: the end of a fiber, or a value from a channel
  cancel,   // value: the script whose own token fires
  stop,     // the whole runtime is cancelled
  nest,     // the next operation is performed by a coroutine that the fiber resumes
  fail,     // the fiber ends with an error
};
inline constexpr std::size_t sched_op_kinds = static_cast<std::size_t>(sched_op::fail) + 1;

extern const language sched_language;

inline constexpr std::size_t sched_scripts = 16;
inline constexpr std::size_t sched_channels = 3;

}  // namespace bast::model
