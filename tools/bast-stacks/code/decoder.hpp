// SPDX-License-Identifier: Apache-2.0
//
// `decoder`: the effect of one instruction on stacks: the control flow, the stack pointer, and
// accesses below it. x86-64 and aarch64 give the same `step`.
#pragma once

#include <cstdint>
#include <memory>

#include "code/elf_file.hpp"

namespace bast_stacks {

enum class flow : std::uint8_t {
  next,    // to the following instruction
  call,    // and returns
  jump,    // always
  branch,  // conditionally
  leaves,  // returns, or traps
};

enum class target_kind : std::uint8_t {
  none,
  direct,  // `target` is the address of code
  slot,    // `target` is the address of a pointer to code
  unknown,
};

enum class sp_change : std::uint8_t {
  none,
  by,             // sp += amount
  from_register,  // sp = register + amount
  loaded,         // from memory: its earlier value, or another stack
  unknown,
};

enum class register_change : std::uint8_t {
  none,
  copies_sp,    // register = sp + amount
  adds,         // register += amount
  loaded,       // from memory
  overwritten,  // with something else
};

/// Registers are capstone's numbers; 0 is none.
struct step {
  std::uint64_t pc = 0;
  std::uint64_t bytes = 0;  // of the instruction
  flow leads = flow::next;
  target_kind target_is = target_kind::none;
  std::uint64_t target = 0;

  sp_change change = sp_change::none;
  std::int64_t amount = 0;
  unsigned from = 0;            // for from_register
  std::uint64_t alignment = 1;  // then sp is rounded down to a multiple

  register_change other = register_change::none;
  unsigned other_register = 0;
  unsigned other_second = 0;  // changed in the same way: of a loaded or swapped pair
  std::int64_t other_amount = 0;
  bool from_frame = false;        // loaded from an address based on the stack or frame pointer
  unsigned compared_with_sp = 0;  // a register: how loops that probe a frame end

  std::uint64_t below_sp = 0;    // distance of accesses below sp
  std::uint64_t below_fp = 0;    // below the frame pointer
  bool reads_table = false;      // as for a jump through a switch's table
  std::uint64_t names_code = 0;  // an address that it loads into a register, or 0
};

class decoder {
 public:
  explicit decoder(std::uint16_t machine);
  ~decoder();
  decoder(const decoder&) = delete;
  decoder& operator=(const decoder&) = delete;

  /// Decodes the instruction at the start of `code`, which is at address `pc`. False if there is
  /// none.
  bool decode(byte_span code, std::uint64_t pc, step& out);
  /// Capstone's number of the frame pointer register.
  unsigned frame_pointer() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace bast_stacks
