// SPDX-License-Identifier: Apache-2.0
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

/// What becomes of another register, as far as it has to do with the stack pointer.
void write_register(const cs_insn& instruction, x86_operands all, step& out) {
  if ((all[0].access & CS_AC_WRITE) == 0) {
    if (instruction.id == X86_INS_CMP && all.size() == 2 && is_register(all[1], X86_REG_RSP))
      out.compared_with_sp = all[0].reg;
    return;
  }
  out.other = register_change::overwritten;
  out.other_register = all[0].reg;
  if (all.size() != 2) return;
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
  if (instruction.id == X86_INS_LEA || instruction.id == X86_INS_NOP) return;
  for (const auto& operand : all) {
    if (operand.type != X86_OP_MEM) continue;
    // movslq (table, index, 4): the distance that a switch adds to its table.
    if (operand.mem.index != X86_REG_INVALID && operand.mem.scale >= 4) out.reads_table = true;
    if (operand.mem.disp >= 0) continue;
    const auto below = static_cast<std::uint64_t>(-operand.mem.disp);
    if (operand.mem.base == X86_REG_RSP) out.below_sp = below;
    if (operand.mem.base == X86_REG_RBP) out.below_fp = below;
  }
}

/// What a push or pop moves the stack pointer by. The size of a constant that is pushed does not
/// say it, the prefix does.
std::int64_t pushed_bytes(const cs_insn& instruction) {
  constexpr std::uint8_t operand_size = 0x66;
  return instruction.detail->x86.prefix[2] == operand_size ? 2 : 8;
}

}  // namespace

void decode_x86(csh engine, const cs_insn& instruction, step& out) {
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
      for (const auto& operand : all) {
        if (is_register(operand, X86_REG_RSP)) change_sp(out, sp_change::unknown);
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
  write_register(instruction, all, out);
}

}  // namespace bast_stacks
