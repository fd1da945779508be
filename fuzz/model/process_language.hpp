// SPDX-License-Identifier: Apache-2.0
//
// The language of `process_driver` programs: the actions of children, the kernel's reports about
// them, their order, and false reports. Subjects are children.
#pragma once

#include "bast/process.hpp"
#include "model/program.hpp"

namespace bast::model {

enum class process_op : std::uint8_t {
  start,      // value: see process_choice; nothing if who is supervised
  write,      // value: who writes that many bytes, to standard error if odd
  exit,       // value: an exit code, or from 256 on a signal
  hold,       // a grandchild of who keeps the pipes when who exits
  drop,       // that grandchild ends
  stubborn,   // who ignores SIGTERM from here on
  steal,      // other code reaps who
  pump,       // value: so many operations, plus one, are handed over
  full,       // the queue has no room for the next one
  complete,   // value: which operation in flight completes; nothing if it is not ready
  shorten,    // value: the same, but a read brings one byte
  lie,        // value: the same, but with a false result: see process_world::lie
  stale,      // value: which earlier completion is repeated
  unknown,    // value: a completion of an operation that never existed
  tick,       // value: in units of 0.1 ms
  cancel,     // who is cancelled
  request,    // the same by another thread
  take,       // value: so many bytes of who's output are taken
  shut_down,  //
  fault,      // value: which allocation fails from here on
  mend,       //
  check,      // every invariant
};
inline constexpr std::size_t process_op_kinds = static_cast<std::size_t>(process_op::check) + 1;

/// See language::faults.
inline constexpr std::uint32_t process_faults =
    mask_of(process_op::fault) | mask_of(process_op::mend);

extern const language process_language;

/// A start's options from its value; the world supplies descriptors and pid.
process_start process_choice(std::uint16_t value);
/// The captured streams: bit 0 output, bit 1 errors.
unsigned captured_streams(std::uint16_t value);

process_machine_options process_options(std::uint16_t options);

}  // namespace bast::model
