// SPDX-License-Identifier: Apache-2.0
//
// The language of `command_argv_env` programs: commands are built, string by string, and some are
// started. There is one string in hand, which grows until an operation takes it. Subjects are
// places for commands.
#pragma once

#include "model/program.hpp"

namespace bast::model {

enum class command_op : std::uint8_t {
  program,    // a new command in place who; value: see program_choice
  bytes,      // value: two bytes for the string in hand
  argument,   // takes it
  env,        // takes it as the value; value: which name
  start,      // runs who to its end, the first starts_max times
  repeat,     // value: the string in hand grows by so many copies of itself
  unset_env,  // value: which name
  clear_env,  //
  cwd,        // value: which directory
  path,       // value: the directories of PATH
  stdin_is,   // takes the string in hand
  ours,       // value: adds an entry to this process's environment, or clears it
  move,       // moves the command to place value; who is empty then
  fault,      // value: which kernel call fails from here on
  mend,       //
  check,      // the execve of every place
};
inline constexpr std::size_t command_op_kinds = static_cast<std::size_t>(command_op::check) + 1;

/// See language::faults.
inline constexpr std::uint32_t command_faults =
    mask_of(command_op::fault) | mask_of(command_op::mend);

extern const language command_language;

/// A start costs as much as ten thousand other operations.
inline constexpr int starts_max = 2;

/// The value of `program`.
struct program_choice {
  std::size_t program;  // see command_fixture::program
  bool tells_cwd;       // the child's output, in this order; always the arguments
  bool tells_environment;
  bool copies_input;

  static program_choice of(std::uint16_t value) {
    return {.program = value & 15U,
            .tells_cwd = (value >> 4 & 1) != 0,
            .tells_environment = (value >> 5 & 1) != 0,
            .copies_input = (value >> 6 & 1) != 0};
  }
};

// Values of `env`, `unset_env` and `ours`: names of the table, and then
inline constexpr std::uint16_t name_in_hand =
    15;  // the first half of the string in hand; all of it
inline constexpr std::uint16_t ours_without_name = 12;
inline constexpr std::uint16_t ours_without_value = 13;
inline constexpr std::uint16_t ours_verbatim = 14;
inline constexpr std::uint16_t ours_emptied = 15;

}  // namespace bast::model
