// SPDX-License-Identifier: Apache-2.0
#include "code/source_lines.hpp"

#include <elfutils/libdw.h>

#include <algorithm>

namespace bast_stacks {
namespace {

// Chromium has two million. A hostile file may have any number.
constexpr std::size_t ranges_max = 8'000'000;

}  // namespace

source_lines::source_lines(std::shared_ptr<elf_file> file) : file_(std::move(file)) {
  if (file_->section(".debug_line") == nullptr || file_->section(".debug_info") == nullptr) return;
  dwarf_ = dwarf_begin_elf(file_->handle(), DWARF_C_READ, nullptr);
  if (dwarf_ != nullptr) read_units();
}

source_lines::~source_lines() { dwarf_end(dwarf_); }

void source_lines::read_units() {
  // Clang writes no .debug_aranges, so every unit is queried for its addresses.
  Dwarf_CU* unit = nullptr;
  Dwarf_Die entry{};
  while (dwarf_get_units(dwarf_, unit, &unit, nullptr, nullptr, &entry, nullptr) == 0) {
    Dwarf_Addr base = 0;
    Dwarf_Addr low = 0;
    Dwarf_Addr high = 0;
    std::ptrdiff_t next = 0;
    while ((next = dwarf_ranges(&entry, next, &base, &low, &high)) > 0) {
      if (low < high) ranges_.push_back({low, high, dwarf_dieoffset(&entry)});
      if (ranges_.size() == ranges_max) return;
    }
  }
  std::ranges::sort(ranges_, {}, &unit_range::low);
}

std::optional<source_place> source_lines::at(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(ranges_, address, {}, &unit_range::low);
  if (after == ranges_.begin()) return std::nullopt;
  --after;
  if (address >= after->high) return std::nullopt;
  Dwarf_Die entry{};
  if (dwarf_offdie(dwarf_, after->unit, &entry) == nullptr) return std::nullopt;
  Dwarf_Line* const line = dwarf_getsrc_die(&entry, address);
  const char* const name = line == nullptr ? nullptr : dwarf_linesrc(line, nullptr, nullptr);
  int number = 0;
  if (name == nullptr || dwarf_lineno(line, &number) != 0 || number < 0) return std::nullopt;
  return source_place{.file = name, .line = static_cast<std::uint32_t>(number)};
}

}  // namespace bast_stacks
