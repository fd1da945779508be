// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>

#include "code/decode_machine.hpp"

namespace bast_stacks {
namespace {

using x86_operands = std::span<const cs_x86_op>;

x86_operands operands_of(const cs_insn& instruction) {
  const auto& detail = instruction.detail->x86;
  return {detail.operands, detail.op_count};
}

bool is_register(const cs_x86_op& operand, x86_reg number) {
  return operand.type == X86_OP_REG && operand.reg == number;
}

void find_target(const cs_insn& instruction, x86_operands all, step& out) {
  out.target_is = target_kind::unknown;
  if (all.size() != 1) return;
  const auto& operand = all[0];
  if (operand.type == X86_OP_IMM) {
    out.target_is = target_kind::direct;
    out.target = static_cast<std::uint64_t>(operand.imm);
  } else if (operand.type == X86_OP_MEM && operand.mem.base == X86_REG_RIP &&
             operand.mem.index == X86_REG_INVALID) {
    out.target_is = target_kind::slot;
    out.target =
        instruction.address + instruction.size + static_cast<std::uint64_t>(operand.mem.disp);
  } else if (operand.type == X86_OP_MEM && operand.mem.index != X86_REG_INVALID &&
             operand.mem.scale == 8) {
    out.reads_table = true;
  }
}

/// The 64-bit register that contains a part; parts are written separately (8 and 16 bits), or with
/// zeros above (32). Other registers are returned unchanged.
unsigned whole_register(unsigned number) {
  constexpr x86_reg families[][5] = {
      {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
      {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
      {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
      {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
      {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL, X86_REG_INVALID},
      {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL, X86_REG_INVALID},
      {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL, X86_REG_INVALID},
      {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL, X86_REG_INVALID},
      {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B, X86_REG_INVALID},
      {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B, X86_REG_INVALID},
      {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B, X86_REG_INVALID},
      {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B, X86_REG_INVALID},
      {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B, X86_REG_INVALID},
      {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B, X86_REG_INVALID},
      {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B, X86_REG_INVALID},
      {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B, X86_REG_INVALID}};
  for (const auto& family : families) {
    for (const x86_reg part : family) {
      if (part != X86_REG_INVALID && part == static_cast<x86_reg>(number)) return family[0];
    }
  }
  return number;
}

/// A write to a part of the stack pointer: zeros in its low bits round it down.
void write_part_of_sp(const cs_insn& instruction, x86_operands all, step& out) {
  const bool zeros = instruction.id == X86_INS_MOV && all.size() == 2 &&
                     all[1].type == X86_OP_IMM && all[1].imm == 0;
  if (zeros && all[0].size <= 2) {
    change_sp(out, sp_change::by);
    out.alignment = all[0].size == 1 ? 256 : 65536;
  } else {
    change_sp(out, sp_change::unknown);
  }
}

/// Instructions whose first operand is the stack pointer.
void write_sp(const cs_insn& instruction, x86_operands all, step& out) {
  const bool constant = all.size() == 2 && all[1].type == X86_OP_IMM;
  switch (instruction.id) {
    case X86_INS_CMP:
      if (all.size() == 2 && all[1].type == X86_OP_REG) out.compared_with_sp = all[1].reg;
      return;
    case X86_INS_SUB:
      if (constant) return change_sp(out, sp_change::by, -all[1].imm);
      break;
    case X86_INS_ADD:
      if (constant) return change_sp(out, sp_change::by, all[1].imm);
      break;
    case X86_INS_AND:
      if (constant && all[1].imm < 0 && all[1].imm >= -65536) {
        change_sp(out, sp_change::by);
        out.alignment = static_cast<std::uint64_t>(-all[1].imm);
        return;
      }
      break;
    case X86_INS_LEA:
      if (all.size() == 2 && all[1].type == X86_OP_MEM && all[1].mem.index == X86_REG_INVALID) {
        if (all[1].mem.base == X86_REG_RSP) return change_sp(out, sp_change::by, all[1].mem.disp);
        return change_sp(out, sp_change::from_register, all[1].mem.disp, all[1].mem.base);
      }
      break;
    case X86_INS_MOV:
      if (all.size() == 2 && all[1].type == X86_OP_REG)
        return change_sp(out, sp_change::from_register, 0, all[1].reg);
      if (all.size() == 2 && all[1].type == X86_OP_MEM) return change_sp(out, sp_change::loaded);
      break;
    default:
      if ((all[0].access & CS_AC_WRITE) == 0) return;
  }
  change_sp(out, sp_change::unknown);
}

/// The effect on another register, if it concerns the stack pointer.
void write_register(const cs_insn& instruction, x86_operands all, step& out) {
  if ((all[0].access & CS_AC_WRITE) == 0) {
    if (instruction.id == X86_INS_CMP && all.size() == 2 && is_register(all[1], X86_REG_RSP))
      out.compared_with_sp = all[0].reg;
    return;
  }
  out.other = register_change::overwritten;
  out.other_register = whole_register(all[0].reg);
  if (out.other_register != all[0].reg || all.size() != 2) return;
  const bool adds = instruction.id == X86_INS_ADD || instruction.id == X86_INS_SUB;
  if (adds && all[1].type == X86_OP_IMM) {
    out.other = register_change::adds;
    out.other_amount = instruction.id == X86_INS_ADD ? all[1].imm : -all[1].imm;
  } else if (instruction.id == X86_INS_MOV && is_register(all[1], X86_REG_RSP)) {
    out.other = register_change::copies_sp;
  } else if (instruction.id == X86_INS_MOV && all[1].type == X86_OP_MEM) {
    out.other = register_change::loaded;
  } else if (instruction.id == X86_INS_LEA && all[1].type == X86_OP_MEM) {
    const auto& memory = all[1].mem;
    if (memory.base == X86_REG_RSP && memory.index == X86_REG_INVALID) {
      out.other = register_change::copies_sp;
      out.other_amount = memory.disp;
    } else if (memory.base == X86_REG_RIP && memory.index == X86_REG_INVALID) {
      out.names_code =
          instruction.address + instruction.size + static_cast<std::uint64_t>(memory.disp);
    }
  }
}

void find_touched(const cs_insn& instruction, x86_operands all, step& out) {
  if (instruction.id == X86_INS_NOP) return;
  if (instruction.id == X86_INS_LEA) {
    // An address below the stack pointer that is stored elsewhere is in the red zone, and will be
    // used.
    const bool given_away = all.size() == 2 && all[1].mem.base == X86_REG_RSP &&
                            all[1].mem.disp < 0 && !is_register(all[0], X86_REG_RSP);
    if (given_away) out.below_sp = static_cast<std::uint64_t>(-all[1].mem.disp);
    return;
  }
  for (const auto& operand : all) {
    if (operand.type != X86_OP_MEM) continue;
    // movslq (table, index, 4): the offset that a switch adds to the address of its table.
    if (operand.mem.index != X86_REG_INVALID && operand.mem.scale >= 4) out.reads_table = true;
    if (operand.mem.base == X86_REG_RSP || operand.mem.base == X86_REG_RBP) out.from_frame = true;
    if (operand.mem.disp >= 0) continue;
    const auto below = static_cast<std::uint64_t>(-operand.mem.disp);
    if (operand.mem.base == X86_REG_RSP) out.below_sp = below;
    if (operand.mem.base == X86_REG_RBP) out.below_fp = below;
  }
}

/// The change of the stack pointer by a push or pop. The prefix determines it, not the size of a
/// pushed constant.
std::int64_t pushed_bytes(const cs_insn& instruction) {
  constexpr std::uint8_t operand_size = 0x66;
  return instruction.detail->x86.prefix[2] == operand_size ? 2 : 8;
}

void decode_known(csh engine, const cs_insn& instruction, step& out) {
  const auto all = operands_of(instruction);
  find_touched(instruction, all, out);
  switch (instruction.id) {
    case X86_INS_CALL: out.leads = flow::call; return find_target(instruction, all, out);
    case X86_INS_JMP: out.leads = flow::jump; return find_target(instruction, all, out);
    case X86_INS_LCALL:
      out.leads = flow::call;
      out.target_is = target_kind::unknown;
      return;
    case X86_INS_LJMP:
      out.leads = flow::jump;
      out.target_is = target_kind::unknown;
      return;
    case X86_INS_LOOP:
    case X86_INS_LOOPE:
    case X86_INS_LOOPNE: out.leads = flow::branch; return find_target(instruction, all, out);
    case X86_INS_RET:
    case X86_INS_RETF:
    case X86_INS_RETFQ:
    case X86_INS_IRET:
    case X86_INS_IRETD:
    case X86_INS_IRETQ:
    case X86_INS_HLT:
    case X86_INS_UD2:
    case X86_INS_INT3: out.leads = flow::leaves; return;
    case X86_INS_PUSH:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFQ: return change_sp(out, sp_change::by, -pushed_bytes(instruction));
    case X86_INS_POPF:
    case X86_INS_POPFQ: return change_sp(out, sp_change::by, pushed_bytes(instruction));
    case X86_INS_POP:
      if (all.size() == 1 && is_register(all[0], X86_REG_RSP))
        return change_sp(out, sp_change::unknown);
      if (all.size() == 1 && all[0].type == X86_OP_REG) {
        out.other = register_change::overwritten;
        out.other_register = all[0].reg;
      }
      return change_sp(out, sp_change::by, pushed_bytes(instruction));
    case X86_INS_LEAVE: return change_sp(out, sp_change::from_register, 8, X86_REG_RBP);
    case X86_INS_ENTER: return change_sp(out, sp_change::unknown);
    case X86_INS_XCHG:
      // With the stack pointer: see decode_x86.
      for (const auto& operand : all) {
        if (operand.type != X86_OP_REG) continue;
        (out.other_register == 0 ? out.other_register : out.other_second) =
            whole_register(operand.reg);
        out.other = register_change::overwritten;
      }
      return;
    default: break;
  }
  if (cs_insn_group(engine, &instruction, X86_GRP_JUMP)) {
    out.leads = flow::branch;
    return find_target(instruction, all, out);
  }
  if (all.empty() || all[0].type != X86_OP_REG) return;
  if (all[0].reg == X86_REG_RSP) return write_sp(instruction, all, out);
  if (whole_register(all[0].reg) == X86_REG_RSP) {
    if ((all[0].access & CS_AC_WRITE) != 0) write_part_of_sp(instruction, all, out);
    return;
  }
  write_register(instruction, all, out);
}

}  // namespace

void decode_x86(csh engine, const cs_insn& instruction, step& out) {
  decode_known(engine, instruction, out);
  // Instructions that push and pop implicitly, and restore the stack pointer or leave.
  const bool by_itself = out.leads == flow::call || out.leads == flow::leaves;
  const auto is_sp = [](unsigned number) { return whole_register(number) == X86_REG_RSP; };
  if (out.change == sp_change::none && !by_itself &&
      writes_register_that(engine, instruction, is_sp))
    change_sp(out, sp_change::unknown);
}

}  // namespace bast_stacks
