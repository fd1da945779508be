// SPDX-License-Identifier: Apache-2.0
//
// The format: "Linux Standard Base Core Specification, Generic Part", 10.6 Exception Frames, and
// the DWARF standard, 6.4 Call Frame Information.
#include "code/frame_table.hpp"

#include <elf.h>

#include <algorithm>
#include <optional>

#include "code/byte_cursor.hpp"
#include "code/frame_rules.hpp"

namespace bast_stacks {
namespace {

// Compilers write about ten bytes. Every function would pay for more.
constexpr std::size_t shared_program_max = 4096;

constexpr std::uint8_t encoding_omit = 0xff;
constexpr std::uint8_t encoding_relative_to_itself = 0x10;
constexpr std::uint8_t encoding_indirect = 0x80;

std::optional<std::uint64_t> read_number(byte_cursor& at, std::uint8_t format) {
  switch (format & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c: return at.read<std::uint64_t>();
    case 0x01: return at.read_unsigned();
    case 0x02: return at.read<std::uint16_t>();
    case 0x03: return at.read<std::uint32_t>();
    case 0x09: return static_cast<std::uint64_t>(at.read_signed());
    case 0x0a: return static_cast<std::uint64_t>(std::int64_t{at.read<std::int16_t>()});
    case 0x0b: return static_cast<std::uint64_t>(std::int64_t{at.read<std::int32_t>()});
    default: return std::nullopt;
  }
}

/// A pointer whose field is at address `here`. Supports what linkers write for code: absolute, or
/// relative to the field.
std::optional<std::uint64_t> read_pointer(byte_cursor& at, std::uint8_t encoding,
                                          std::uint64_t here) {
  if (encoding == encoding_omit || (encoding & encoding_indirect) != 0) return std::nullopt;
  const unsigned relative = encoding & 0x70U;
  if (relative != 0 && relative != encoding_relative_to_itself) return std::nullopt;
  const auto value = read_number(at, encoding);
  if (!value || at.failed()) return std::nullopt;
  return relative == 0 ? *value : here + *value;
}

}  // namespace

frame_table::frame_table(const elf_file& file) : arm_(file.machine() == EM_AARCH64) {
  const auto* const found = file.section(".eh_frame");
  if (found == nullptr) return;
  section_ = file.contents(*found);
  address_ = found->address;
  read();
}

frame_table::frame_table(byte_span section, std::uint64_t address, std::uint16_t machine)
    : section_(section), address_(address), arm_(machine == EM_AARCH64) {
  read();
}

void frame_table::read() {
  byte_cursor at(section_);
  while (at.left() >= 4) {
    const auto start = at.at();
    std::uint64_t bytes = at.read<std::uint32_t>();
    const bool wide = bytes == 0xffff'ffff;
    if (wide) bytes = at.read<std::uint64_t>();
    // A terminator; one may also come from an object file in the middle.
    if (bytes == 0) continue;
    const auto entry = at.take(bytes);
    if (at.failed()) {
      ++refused_;
      break;
    }
    // In .eh_frame the field that distinguishes a CIE from an FDE has four bytes in both widths.
    read_range(start, entry, start + (wide ? 12 : 4));
  }
  std::ranges::sort(ranges_, {}, &unwound_range::low);
  // Overlaps are cut, so that an address has one range.
  for (std::size_t i = 1; i < ranges_.size(); ++i)
    ranges_[i - 1].high = std::min(ranges_[i - 1].high, ranges_[i].low);
  std::erase_if(ranges_, [](const unwound_range& range) { return range.low >= range.high; });
}

void frame_table::read_range(std::uint64_t start, byte_span entry, std::size_t id_at) {
  byte_cursor at(entry);
  const auto id = at.read<std::uint32_t>();
  if (at.failed() || id == 0) return;  // a CIE, which is read when an FDE names it
  if (id > id_at) {
    ++refused_;
    return;
  }
  const auto& shared = shared_at(id_at - id);
  const auto here = address_ + id_at + at.at();
  const auto low = read_pointer(at, shared.encoding, here);
  const auto bytes = read_number(at, shared.encoding);
  if (shared.has_augmentation) at.take(at.read_unsigned());
  if (!shared.good || !low || !bytes || at.failed() || *low + *bytes < *low) {
    ++refused_;
    return;
  }
  if (*bytes == 0 || *low == 0) return;  // the linker dropped the function
  descriptions_[start] = {.shared = id_at - id, .program = at.take(at.left())};
  ranges_.push_back({.low = *low, .high = *low + *bytes, .description = start});
}

const frame_table::shared_part& frame_table::shared_at(std::uint64_t offset) {
  const auto known = shared_.find(offset);
  if (known != shared_.end()) return known->second;
  shared_part part;
  if (offset < section_.size()) {
    byte_cursor at(section_.subspan(offset));
    std::uint64_t bytes = at.read<std::uint32_t>();
    if (bytes == 0xffff'ffff) bytes = at.read<std::uint64_t>();
    const auto entry = at.take(bytes);
    if (!at.failed()) part = parse_shared(entry);
  }
  return shared_.emplace(offset, part).first->second;
}

frame_table::shared_part frame_table::parse_shared(byte_span entry) const {
  shared_part part;
  byte_cursor at(entry);
  if (at.read<std::uint32_t>() != 0) return part;
  const auto version = at.read<std::uint8_t>();
  if (version != 1 && version != 3) return part;
  const auto letters = at.read_text();
  part.code_factor = at.read_unsigned();
  part.data_factor = at.read_signed();
  part.return_register = version == 1 ? at.read<std::uint8_t>() : at.read_unsigned();
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const char letter = static_cast<char>(letters[i]);
    if (i == 0) {
      if (letter != 'z') return part;
      part.has_augmentation = true;
      at.read_unsigned();
    } else if (letter == 'R') {
      part.encoding = at.read<std::uint8_t>();
    } else if (letter == 'P') {
      // Skips the personality routine: only its length matters, and indirection does not change
      // that.
      read_number(at, at.read<std::uint8_t>());
    } else if (letter == 'L') {
      at.read<std::uint8_t>();
    } else if (letter != 'S' && letter != 'B') {
      return part;
    }
  }
  part.program = at.take(at.left());
  part.good = !at.failed() && part.program.size() <= shared_program_max;
  return part;
}

const unwound_range* frame_table::range_at(std::uint64_t pc) const {
  auto after = std::ranges::upper_bound(ranges_, pc, {}, &unwound_range::low);
  if (after == ranges_.begin()) return nullptr;
  --after;
  return pc < after->high ? &*after : nullptr;
}

std::vector<frame_row> frame_table::rows(const unwound_range& range) const {
  const auto found = descriptions_.find(range.description);
  if (found == descriptions_.end()) return {};
  const auto shared = shared_.find(found->second.shared);
  if (shared == shared_.end()) return {};
  frame_rules rules({.arm = arm_,
                     .code_factor = shared->second.code_factor,
                     .data_factor = shared->second.data_factor,
                     .return_register = shared->second.return_register,
                     .low = range.low,
                     .high = range.high});
  if (!rules.run_shared(shared->second.program)) return {};
  return rules.run(found->second.program);
}

frame_row frame_table::row_at(std::uint64_t pc) const {
  const auto* const range = range_at(pc);
  if (range != nullptr) {
    for (const auto& row : rows(*range)) {
      if (pc >= row.low && pc < row.high) return row;
    }
  }
  return {};
}

}  // namespace bast_stacks
