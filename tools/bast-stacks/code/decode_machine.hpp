// SPDX-License-Identifier: Apache-2.0
//
// The interface of `decoder` to each CPU.
#pragma once

#include <capstone.h>

#include <algorithm>

#include "code/decoder.hpp"

namespace bast_stacks {

/// Fills everything except pc and bytes. Requires the detail of `instruction`.
void decode_x86(csh engine, const cs_insn& instruction, step& out);
void decode_arm(csh engine, const cs_insn& instruction, step& out);

/// The same for four bytes that capstone does not know.
void decode_unknown_arm(std::uint32_t word, step& out);

/// Sets what the instruction does to sp.
inline void change_sp(step& out, sp_change change, std::int64_t amount = 0, unsigned from = 0) {
  out.change = change;
  out.amount = amount;
  out.from = from;
}

/// Whether the CPU's description of an instruction lists a write to such a register, or is missing.
/// `is_it(number)` gets capstone's numbers.
template <class F>
bool writes_register_that(csh engine, const cs_insn& instruction, F is_it) {
  cs_regs read;
  cs_regs written;
  std::uint8_t reads = 0;
  std::uint8_t writes = 0;
  if (cs_regs_access(engine, &instruction, read, &reads, written, &writes) != CS_ERR_OK)
    return true;
  return std::any_of(written, written + writes, is_it);
}

}  // namespace bast_stacks
