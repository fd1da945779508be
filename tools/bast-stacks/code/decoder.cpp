// SPDX-License-Identifier: Apache-2.0
#include "code/decoder.hpp"

#include <capstone.h>
#include <elf.h>

#include "code/byte_cursor.hpp"
#include "code/decode_machine.hpp"
#include "code/x86_length.hpp"

namespace bast_stacks {

struct decoder::state {
  bool arm = false;
  csh engine = 0;
  cs_insn* instruction = nullptr;
};

decoder::decoder(std::uint16_t machine) : state_(std::make_unique<state>()) {
  state_->arm = machine == EM_AARCH64;
  const auto cpu = state_->arm ? CS_ARCH_ARM64 : CS_ARCH_X86;
  const auto mode = state_->arm ? CS_MODE_ARM : CS_MODE_64;
  if (cs_open(cpu, mode, &state_->engine) != CS_ERR_OK) return;
  cs_option(state_->engine, CS_OPT_DETAIL, CS_OPT_ON);
  state_->instruction = cs_malloc(state_->engine);
}

decoder::~decoder() {
  if (state_->instruction != nullptr) cs_free(state_->instruction, 1);
  if (state_->engine != 0) cs_close(&state_->engine);
}

unsigned decoder::frame_pointer() const {
  return state_->arm ? unsigned{ARM64_REG_FP} : unsigned{X86_REG_RBP};
}

bool decoder::decode(byte_span code, std::uint64_t pc, step& out) {
  out = {};
  out.pc = pc;
  if (state_->instruction == nullptr) return false;
  const std::uint8_t* bytes = code.data();
  std::size_t left = code.size();
  std::uint64_t address = pc;
  if (!cs_disasm_iter(state_->engine, &bytes, &left, &address, state_->instruction)) {
    // Every instruction of aarch64 has four bytes, so one that capstone does not know can be
    // skipped. It does not move the stack pointer: the instructions that do are as old as the CPU.
    out.bytes = state_->arm ? 4 : unknown_x86_length(code);
    if (out.bytes == 0 || out.bytes > code.size()) return false;
    if (state_->arm) decode_unknown_arm(byte_cursor(code).read<std::uint32_t>(), out);
    return true;
  }
  out.bytes = state_->instruction->size;
  if (state_->arm) {
    decode_arm(state_->engine, *state_->instruction, out);
  } else {
    decode_x86(state_->engine, *state_->instruction, out);
  }
  return true;
}

}  // namespace bast_stacks
