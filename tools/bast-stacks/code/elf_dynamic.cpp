// SPDX-License-Identifier: Apache-2.0
//
// The part of `elf_file` that reads the dynamic linker's data: needed files, search paths,
// relocations.
#include <elf.h>

#include <algorithm>
#include <cstring>

#include "code/byte_cursor.hpp"
#include "code/elf_file.hpp"

namespace bast_stacks {
namespace {

// Libraries that one file needs; desktop programs have a hundred.
constexpr std::size_t needed_max = 1000;

}  // namespace

template <class Use>
void elf_file::each_dynamic(Use use) const {
  for (const auto& section : sections_) {
    if (section.type != SHT_DYNAMIC) continue;
    const auto* const names = linked(section);
    byte_cursor at(contents(section));
    while (at.left() >= sizeof(Elf64_Dyn)) {
      const auto tag = at.read<std::int64_t>();
      const auto value = at.read<std::uint64_t>();
      if (tag == DT_NULL) break;
      use(tag, value, names == nullptr ? std::string_view{} : text_in(*names, value));
    }
  }
}

std::vector<std::string> elf_file::needed() const {
  std::vector<std::string> names;
  each_dynamic([&](std::int64_t tag, std::uint64_t, std::string_view text) {
    if (tag == DT_NEEDED && !text.empty() && names.size() < needed_max) names.emplace_back(text);
  });
  return names;
}

std::string elf_file::run_path() const {
  std::string old;
  std::string path;
  each_dynamic([&](std::int64_t tag, std::uint64_t, std::string_view text) {
    if (tag == DT_RUNPATH) path = text;
    if (tag == DT_RPATH) old = text;
  });
  return path.empty() ? old : path;
}

bool elf_file::binds_now() const {
  bool now = false;
  each_dynamic([&](std::int64_t tag, std::uint64_t value, std::string_view) {
    now = now || tag == DT_BIND_NOW || (tag == DT_FLAGS && (value & DF_BIND_NOW) != 0) ||
          (tag == DT_FLAGS_1 && (value & DF_1_NOW) != 0);
  });
  return now;
}

void elf_file::read_relocations() const {
  relocations_read_ = true;
  const bool arm = machine_ == EM_AARCH64;
  const std::uint64_t relative = arm ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
  const std::uint64_t chosen = arm ? R_AARCH64_IRELATIVE : R_X86_64_IRELATIVE;
  for (const auto& section : sections_) {
    if (section.type != SHT_RELA || (section.flags & SHF_ALLOC) == 0) continue;
    const auto* const symbols = linked(section);
    const auto* const names = symbols == nullptr ? nullptr : linked(*symbols);
    const auto table = symbols == nullptr ? byte_span{} : contents(*symbols);
    const auto all = contents(section);
    for (std::size_t i = 0; (i + 1) * sizeof(Elf64_Rela) <= all.size(); ++i) {
      Elf64_Rela entry{};
      std::memcpy(&entry, all.data() + i * sizeof entry, sizeof entry);
      const std::uint64_t type = ELF64_R_TYPE(entry.r_info);
      const std::uint64_t index = ELF64_R_SYM(entry.r_info);
      elf_relocation found{.at = entry.r_offset, .lazy = section.name == ".rela.plt"};
      if (type == relative) {
        found.value = static_cast<std::uint64_t>(entry.r_addend);
      } else if (type == chosen) {
        found.value = static_cast<std::uint64_t>(entry.r_addend);
        found.chosen_at_load = true;
        found.lazy = false;
      } else if (names != nullptr && index < table.size() / sizeof(Elf64_Sym)) {
        Elf64_Sym symbol{};
        std::memcpy(&symbol, table.data() + index * sizeof symbol, sizeof symbol);
        found.symbol = text_in(*names, symbol.st_name);
        found.weak = ELF64_ST_BIND(symbol.st_info) == STB_WEAK;
        if (found.symbol.empty()) continue;
      } else {
        continue;
      }
      relocations_.push_back(found);
    }
  }
  std::ranges::sort(relocations_, {}, &elf_relocation::at);
}

const elf_relocation* elf_file::relocation_at(std::uint64_t address) const {
  if (!relocations_read_) read_relocations();
  const auto found = std::ranges::lower_bound(relocations_, address, {}, &elf_relocation::at);
  return found == relocations_.end() || found->at != address ? nullptr : &*found;
}

}  // namespace bast_stacks
