// SPDX-License-Identifier: Apache-2.0
//
// `decoder`: what one instruction does, as far as stacks care: where control goes, what becomes of
// the stack pointer, and what it touches below it. x86-64 and aarch64 give the same `step`.
#pragma once

#include <cstdint>
#include <memory>

#include "code/elf_file.hpp"

namespace bast_stacks {

enum class flow : std::uint8_t {
  next,    // to the instruction behind it
  call,    // and comes back
  jump,    // for ever
  branch,  // perhaps
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
  loaded,         // from memory: what was there before, or another stack
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
  std::uint64_t alignment = 1;  // and then sp is rounded down to a multiple

  register_change other = register_change::none;
  unsigned other_register = 0;
  unsigned other_second = 0;  // to which the same happens: of a pair that is loaded, or swapped
  std::int64_t other_amount = 0;
  bool from_frame = false;        // of what is loaded: its address is the stack or frame pointer's
  unsigned compared_with_sp = 0;  // a register: how loops that probe a frame find their end

  std::uint64_t below_sp = 0;    // how far below sp it touches memory
  std::uint64_t below_fp = 0;    // below the frame pointer
  bool reads_table = false;      // as the jump through a switch's table needs it
  std::uint64_t names_code = 0;  // an address that it puts into a register, or 0
};

class decoder {
 public:
  explicit decoder(std::uint16_t machine);
  ~decoder();
  decoder(const decoder&) = delete;
  decoder& operator=(const decoder&) = delete;

  /// The instruction at the start of `code`, which is at address `pc`. False: it is none.
  bool decode(byte_span code, std::uint64_t pc, step& out);
  /// Capstone's number of the frame pointer register.
  unsigned frame_pointer() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace bast_stacks
