// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>

#include "code/decode_machine.hpp"

namespace bast_stacks {
namespace {

using arm_operands = std::span<const cs_arm64_op>;

/// The value of a constant with its shift ("#1, lsl #12").
std::int64_t constant(const cs_arm64_op& operand) {
  const bool shifted = operand.shift.type == ARM64_SFT_LSL && operand.shift.value < 32;
  return shifted ? operand.imm << operand.shift.value : operand.imm;
}

bool find_flow(const cs_insn& instruction, arm_operands all, step& out) {
  const auto direct = [&](flow leads) {
    out.leads = leads;
    out.target_is = target_kind::unknown;
    if (!all.empty() && all.back().type == ARM64_OP_IMM) {
      out.target_is = target_kind::direct;
      out.target = static_cast<std::uint64_t>(all.back().imm);
    }
    return true;
  };
  switch (instruction.id) {
    case ARM64_INS_BL:
    case ARM64_INS_BLR: return direct(flow::call);
    case ARM64_INS_B: {
      const auto condition = instruction.detail->arm64.cc;
      const bool always = condition == ARM64_CC_INVALID || condition == ARM64_CC_AL;
      return direct(always ? flow::jump : flow::branch);
    }
    case ARM64_INS_BR: return direct(flow::jump);
    case ARM64_INS_CBZ:
    case ARM64_INS_CBNZ:
    case ARM64_INS_TBZ:
    case ARM64_INS_TBNZ: return direct(flow::branch);
    case ARM64_INS_RET:
    case ARM64_INS_ERET:
    case ARM64_INS_BRK:
    case ARM64_INS_HLT: out.leads = flow::leaves; return true;
    default: return false;
  }
}

/// A load or store: write-back of the stack pointer, and accesses below it.
void find_memory(const cs_insn& instruction, arm_operands all, step& out) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].type != ARM64_OP_MEM) continue;
    const auto& memory = all[i].mem;
    if (memory.index != ARM64_REG_INVALID) out.reads_table = true;
    const bool at_sp = memory.base == ARM64_REG_SP;
    if (at_sp || memory.base == ARM64_REG_FP) out.from_frame = true;
    if (at_sp && instruction.detail->arm64.writeback) {
      // Post-indexed forms have the amount after the memory operand.
      const bool after = i + 1 < all.size();
      if (after && all[i + 1].type != ARM64_OP_IMM) return change_sp(out, sp_change::unknown);
      change_sp(out, sp_change::by, after ? all[i + 1].imm : memory.disp);
    } else if (memory.disp < 0) {
      const auto below = static_cast<std::uint64_t>(-std::int64_t{memory.disp});
      if (at_sp) out.below_sp = below;
      if (memory.base == ARM64_REG_FP) out.below_fp = below;
    }
  }
}

void write_sp(const cs_insn& instruction, arm_operands all, step& out) {
  const bool two = all.size() >= 2 && all[1].type == ARM64_OP_REG;
  const bool fixed = all.size() == 3 && all[2].type == ARM64_OP_IMM;
  const auto from_other = [&](std::int64_t amount) {
    if (all[1].reg == ARM64_REG_SP) return change_sp(out, sp_change::by, amount);
    change_sp(out, sp_change::from_register, amount, all[1].reg);
  };
  switch (instruction.id) {
    case ARM64_INS_CMP:
      if (two) out.compared_with_sp = all[1].reg;
      return;
    case ARM64_INS_CMN: return;
    case ARM64_INS_MOV:
      if (two) return from_other(0);
      break;
    case ARM64_INS_ADD:
      if (two && fixed) return from_other(constant(all[2]));
      break;
    case ARM64_INS_SUB:
      if (two && fixed) return from_other(-constant(all[2]));
      break;
    case ARM64_INS_AND:
      if (two && fixed && all[2].imm < 0 && all[2].imm >= -65536) {
        from_other(0);
        out.alignment = static_cast<std::uint64_t>(-all[2].imm);
        return;
      }
      break;
    default:
      // In stores the first operand is read.
      if ((all[0].access & CS_AC_WRITE) == 0) return;
  }
  change_sp(out, sp_change::unknown);
}

/// Instructions that only set flags. Capstone reports some of them as writing.
bool compares(const cs_insn& instruction) {
  switch (instruction.id) {
    case ARM64_INS_CMP:
    case ARM64_INS_CMN:
    case ARM64_INS_TST:
    case ARM64_INS_CCMP:
    case ARM64_INS_CCMN: return true;
    default: return false;
  }
}

void write_register(const cs_insn& instruction, arm_operands all, step& out) {
  if (compares(instruction) || (all[0].access & CS_AC_WRITE) == 0) return;
  out.other = register_change::overwritten;
  out.other_register = all[0].reg;
  const auto memory = std::ranges::find(all, ARM64_OP_MEM, &cs_arm64_op::type);
  if (memory != all.end()) {
    out.other = register_change::loaded;
    // Of a pair.
    const bool pair = memory - all.begin() == 2 && (all[1].access & CS_AC_WRITE) != 0;
    if (pair) out.other_second = all[1].reg;
    return;
  }
  if (all.size() < 2 || all[1].type != ARM64_OP_REG) return;
  const bool adds = instruction.id == ARM64_INS_ADD;
  const bool subtracts = instruction.id == ARM64_INS_SUB;
  const bool fixed = all.size() == 3 && all[2].type == ARM64_OP_IMM;
  const bool from_sp = all[1].reg == ARM64_REG_SP;
  if (from_sp && instruction.id == ARM64_INS_MOV) {
    out.other = register_change::copies_sp;
  } else if ((adds || subtracts) && fixed && (from_sp || all[1].reg == all[0].reg)) {
    out.other = from_sp ? register_change::copies_sp : register_change::adds;
    out.other_amount = adds ? constant(all[2]) : -constant(all[2]);
  }
}

void decode_known_arm(const cs_insn& instruction, step& out) {
  const auto& detail = instruction.detail->arm64;
  const arm_operands all{detail.operands, detail.op_count};
  if (find_flow(instruction, all, out)) return;
  find_memory(instruction, all, out);
  if (all.empty() || all[0].type != ARM64_OP_REG) return;
  if (all[0].reg == ARM64_REG_SP) return write_sp(instruction, all, out);
  write_register(instruction, all, out);
}

}  // namespace

void decode_arm(csh engine, const cs_insn& instruction, step& out) {
  decode_known_arm(instruction, out);
  const auto is_sp = [](unsigned number) {
    return number == ARM64_REG_SP || number == ARM64_REG_WSP;
  };
  // Capstone 4 reports comparisons as writing.
  if (out.change == sp_change::none && !compares(instruction) &&
      writes_register_that(engine, instruction, is_sp))
    change_sp(out, sp_change::unknown);
}

// "Arm Architecture Reference Manual for A-profile architecture", C4.1: branches to a register with
// an authenticated address, as compilers emit for -mbranch-protection=pac-ret, and udf.
void decode_unknown_arm(std::uint32_t word, step& out) {
  if ((word & 0xfe00'0000U) == 0xd600'0000U) {
    const unsigned operation = (word >> 21U) & 7U;
    out.leads = operation == 0 ? flow::jump : operation == 1 ? flow::call : flow::leaves;
    if (operation <= 1) out.target_is = target_kind::unknown;
  } else if ((word & 0xffff'0000U) == 0) {
    out.leads = flow::leaves;
  }
}

}  // namespace bast_stacks
