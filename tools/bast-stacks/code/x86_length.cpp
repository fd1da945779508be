// SPDX-License-Identifier: Apache-2.0
//
// "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2, chapter 2.
#include "code/x86_length.hpp"

namespace bast_stacks {
namespace {

using bytes = std::span<const std::uint8_t>;

/// ModRM and its operands: SIB, displacement.
std::size_t operand_length(bytes code) {
  if (code.empty()) return 0;
  const unsigned mode = code[0] >> 6U;
  const unsigned base = code[0] & 7U;
  if (mode == 3) return 1;
  std::size_t length = 1;
  bool wide = mode == 2 || (mode == 0 && base == 5);
  if (base == 4) {
    if (code.size() < 2) return 0;
    ++length;
    wide = wide || (mode == 0 && (code[1] & 7U) == 5);
  }
  return length + (mode == 1 ? 1U : 0U) + (wide ? 4U : 0U);
}

/// Opcodes of map 1 (0F) with an immediate byte.
bool has_constant(unsigned map, std::uint8_t opcode) {
  if (map == 3) return true;
  if (map != 1) return false;
  return (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6);
}

/// VEX and EVEX: `prefix` bytes, the opcode, its operands.
std::size_t vector_length(bytes code, std::size_t prefix, unsigned map) {
  if (code.size() < prefix + 2) return 0;
  const auto operand = operand_length(code.subspan(prefix + 1));
  if (operand == 0) return 0;
  const auto length = prefix + 1 + operand + (has_constant(map, code[prefix]) ? 1 : 0);
  return length <= code.size() ? length : 0;
}

}  // namespace

std::size_t unknown_x86_length(std::span<const std::uint8_t> code) {
  if (code.size() < 3) return 0;
  switch (code[0]) {
    case 0x62: return vector_length(code, 4, code[1] & 7U);
    case 0xc4: return vector_length(code, 3, code[1] & 0x1fU);
    case 0xc5: return vector_length(code, 2, 1);
    case 0x0f:  // rdpkru, wrpkru
      return code[1] == 0x01 && (code[2] == 0xee || code[2] == 0xef) ? 3 : 0;
    case 0xf3: {  // rdssp, incssp
      const std::size_t prefix = (code[1] & 0xf0U) == 0x40 ? 2 : 1;
      if (code.size() < prefix + 3 || code[prefix] != 0x0f || code[prefix + 2] < 0xc0) return 0;
      return code[prefix + 1] == 0x1e || code[prefix + 1] == 0xae ? prefix + 3 : 0;
    }
    default: return 0;
  }
}

}  // namespace bast_stacks
