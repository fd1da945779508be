// SPDX-License-Identifier: Apache-2.0
//
// The part of `elf_file` that reads functions from its tables of symbols.
#include <elf.h>

#include <algorithm>
#include <cstring>

#include "code/elf_file.hpp"

namespace bast_stacks {

void elf_file::read_symbols(const elf_section& table, bool exported) const {
  const auto* const names = linked(table);
  if (names == nullptr) return;
  const auto* const versions = exported ? section(".gnu.version") : nullptr;
  const auto version_bytes = versions == nullptr ? byte_span{} : contents(*versions);
  const auto all = contents(table);
  for (std::size_t i = 0; (i + 1) * sizeof(Elf64_Sym) <= all.size(); ++i) {
    Elf64_Sym symbol{};
    std::memcpy(&symbol, all.data() + i * sizeof symbol, sizeof symbol);
    const unsigned type = symbol.st_info & 0xfU;
    const bool untyped = type == STT_NOTYPE && symbol.st_shndx < SHN_LORESERVE;
    if (symbol.st_shndx == SHN_UNDEF) continue;
    if (type != STT_FUNC && type != STT_GNU_IFUNC && !untyped) continue;
    const auto* const holder = section_at(symbol.st_value);
    if (holder == nullptr || (holder->flags & SHF_EXECINSTR) == 0) continue;
    const elf_function function{.address = symbol.st_value,
                                .bytes = symbol.st_size,
                                .name = text_in(*names, symbol.st_name),
                                .exported = exported,
                                .chosen_at_load = type == STT_GNU_IFUNC};
    // Mapping symbols ($x, $d) of aarch64 are not functions.
    if (function.name.empty() || function.name.front() == '$') continue;
    functions_.push_back(function);
    by_name_.emplace(function.name, function.address);
    if (!exported) continue;
    std::uint16_t version = 0;
    if ((i + 1) * 2 <= version_bytes.size()) std::memcpy(&version, &version_bytes[i * 2], 2);
    // Bit 15: an old version, for programs that were linked with it.
    if ((version & 0x8000U) == 0) {
      exported_[function.name] = function;
    } else {
      exported_.try_emplace(function.name, function);
    }
  }
}

const std::vector<elf_function>& elf_file::functions() const {
  if (symbols_read_) return functions_;
  symbols_read_ = true;
  for (const auto& table : sections_) {
    if (table.type == SHT_DYNSYM) read_symbols(table, true);
  }
  for (const auto& table : sections_) {
    if (table.type == SHT_SYMTAB) read_symbols(table, false);
  }
  for (const auto& other : others_) {
    for (const auto& function : other->functions()) {
      functions_.push_back(function);
      by_name_.emplace(function.name, function.address);
    }
  }
  // Order of several names for an address: with a size, exported, longest. The longest is the
  // complete constructor and not an alias.
  std::ranges::sort(functions_, [](const elf_function& a, const elf_function& b) {
    if (a.address != b.address) return a.address < b.address;
    if ((a.bytes == 0) != (b.bytes == 0)) return b.bytes == 0;
    if (a.exported != b.exported) return a.exported;
    if (a.name.size() != b.name.size()) return a.name.size() > b.name.size();
    return a.name < b.name;
  });
  const auto rest = std::ranges::unique(functions_, {}, &elf_function::address);
  functions_.erase(rest.begin(), rest.end());
  return functions_;
}

const elf_function* elf_file::function_at(std::uint64_t address) const {
  const auto& all = functions();
  auto after = std::ranges::upper_bound(all, address, {}, &elf_function::address);
  if (after == all.begin()) return nullptr;
  const auto& found = *--after;
  if (address - found.address < found.bytes) return &found;
  return found.bytes == 0 && section_at(address) == section_at(found.address) ? &found : nullptr;
}

std::vector<std::uint64_t> elf_file::addresses_of(std::string_view name) const {
  functions();
  std::vector<std::uint64_t> all;
  const auto [first, last] = by_name_.equal_range(name);
  for (auto at = first; at != last; ++at) all.push_back(at->second);
  std::ranges::sort(all);
  const auto rest = std::ranges::unique(all);
  all.erase(rest.begin(), rest.end());
  return all;
}

const elf_function* elf_file::exported(std::string_view name) const {
  functions();
  const auto found = exported_.find(name);
  return found == exported_.end() ? nullptr : &found->second;
}

void elf_file::add_symbols(std::shared_ptr<elf_file> other) {
  if (!symbols_read_) others_.push_back(std::move(other));
}

}  // namespace bast_stacks
