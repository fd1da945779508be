// SPDX-License-Identifier: Apache-2.0
//
// The language of `growth` programs: coroutines that use their stacks in every way, while others
// hold frames on theirs. Subjects are coroutines.
#pragma once

#include "bast/coro.hpp"
#include "model/program.hpp"

namespace bast::model {

enum class growth_op : std::uint8_t {
  spawn,          // a coroutine that obeys the commands below; nothing if who lives
  recurse,        // value: that many frames of that size (see frames_of); stays at the bottom
  back,           // returns from the latest recursion, checking each frame; ends at the last
  touch,          // value * 64 bytes: writes one byte that deep, and returns
  fill,           // value * 64 bytes: writes them all
  throw_through,  // value: an exception passes that many frames
  read,           // value * 64 bytes: the kernel writes into an untouched buffer
  signal,         // value: a signal is handled on the alternate stack, or on this one
  ask,            // value * 64 bytes: ensure_stack
  unwind,         // released while suspended
  abandon,        // released without unwinding
  probe,          // asks the kernel which parts of who's stack are accessible
  hop,            // value frames on another thread, in its own pool
  shrink,         //
  fault,          // value: which kernel call fails from here on
  mend,           //
  budget,         // value: how many pages the pool may still open; 0: all
  restart,        // destroys the pool and creates it again
  check,          // every invariant of the pool, and of its measurements
};
inline constexpr std::size_t growth_op_kinds = static_cast<std::size_t>(growth_op::check) + 1;

/// See language::faults.
inline constexpr std::uint32_t growth_faults =
    mask_of(growth_op::fault) | mask_of(growth_op::mend) | mask_of(growth_op::budget);

extern const language growth_language;

struct frames {
  unsigned count;
  std::size_t size;  // bytes each
};
frames frames_of(std::uint16_t value);

coro_pool_options growth_options(std::uint16_t options);

}  // namespace bast::model
