// SPDX-License-Identifier: Apache-2.0
#include "code/plt.hpp"

#include <elf.h>

#include "code/byte_cursor.hpp"

namespace bast_stacks {
namespace {

// endbr64 or bti, the jump, and on aarch64 three instructions before it.
constexpr int stub_instructions = 5;

/// adrp x16, page; ldr x17, [x16, offset]; add x16, x16, offset; br x17
std::optional<std::uint64_t> arm_slot(byte_span code, std::uint64_t address) {
  byte_cursor at(code);
  std::optional<std::uint64_t> page;
  for (int i = 0; i < stub_instructions && at.left() >= 4; ++i, address += 4) {
    const auto word = at.read<std::uint32_t>();
    if ((word & 0x9f00'001fU) == 0x9000'0010U) {
      const std::uint64_t high = (word >> 5) & 0x7ffffU;
      const std::uint64_t low = (word >> 29) & 3U;
      // 21 signed bits, in pages of 4 KiB.
      const auto pages = static_cast<std::int64_t>(((high << 2) | low) << 43) >> 43;
      page = (address & ~std::uint64_t{0xfff}) + (static_cast<std::uint64_t>(pages) << 12);
    } else if (page && (word & 0xffc0'03ffU) == 0xf940'0211U) {
      return *page + std::uint64_t{(word >> 10) & 0xfffU} * 8;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> plt_slot(code_file& file, std::uint64_t address) {
  const auto* const holder = file.elf().section_at(address);
  if (holder == nullptr || !holder->name.starts_with(".plt")) return std::nullopt;
  const auto code = file.elf().code_at(address, 32);
  if (file.elf().machine() == EM_AARCH64) return arm_slot(code, address);
  step now;
  std::size_t done = 0;
  for (int i = 0; i < stub_instructions; ++i) {
    if (!file.engine().decode(code.subspan(done), address + done, now)) break;
    if (now.leads == flow::jump && now.target_is == target_kind::slot) return now.target;
    if (now.leads != flow::next) break;
    done += now.bytes;
  }
  return std::nullopt;
}

}  // namespace bast_stacks
