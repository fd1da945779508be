// SPDX-License-Identifier: Apache-2.0
//
// `made_elf`: a small program or library that a test builds section by section, with any header, so
// that each checked value can be wrong alone.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace bast_stacks::test {

using byte_list = std::vector<std::uint8_t>;

template <class Value>
void put(byte_list& out, const Value& value) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

inline byte_list bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

struct made_section {
  std::string name;
  std::uint32_t type = SHT_PROGBITS;
  std::uint64_t flags = 0;
  std::uint64_t address = 0;
  byte_list bytes{};
  std::uint32_t link = 0;  // index: the first section has 1
  std::optional<std::uint64_t> size{};
  std::optional<std::uint64_t> offset{};
};

struct made_elf {
  std::uint16_t machine = EM_X86_64;
  std::uint16_t type = ET_DYN;
  std::vector<made_section> sections;

  byte_list image() const {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = type;
    header.e_machine = machine;
    header.e_version = EV_CURRENT;
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<std::uint16_t>(sections.size() + 2);
    header.e_shstrndx = static_cast<std::uint16_t>(sections.size() + 1);
    byte_list out(sizeof header);
    byte_list names{0};
    std::vector<Elf64_Shdr> heads(1);
    const auto add = [&](const made_section& one) {
      out.resize((out.size() + 7) / 8 * 8);
      Elf64_Shdr head{};
      head.sh_name = static_cast<Elf64_Word>(names.size());
      head.sh_type = one.type;
      head.sh_flags = one.flags;
      head.sh_addr = one.address;
      head.sh_offset = one.offset.value_or(out.size());
      head.sh_size = one.size.value_or(one.bytes.size());
      head.sh_link = one.link;
      heads.push_back(head);
      names.insert(names.end(), one.name.begin(), one.name.end());
      names.push_back(0);
      out.insert(out.end(), one.bytes.begin(), one.bytes.end());
    };
    for (const auto& one : sections) add(one);
    names.reserve(names.size() + 16);
    made_section last{.name = ".shstrtab", .type = SHT_STRTAB};
    last.bytes = names;
    for (const char letter : std::string(".shstrtab"))
      last.bytes.push_back(static_cast<std::uint8_t>(letter));
    last.bytes.push_back(0);
    add(last);
    out.resize((out.size() + 7) / 8 * 8);
    header.e_shoff = out.size();
    for (const auto& head : heads) put(out, head);
    std::memcpy(out.data(), &header, sizeof header);
    return out;
  }
};

/// Texts, each terminated by a zero, the first empty; and the start of each.
class made_texts {
 public:
  std::uint32_t add(std::string_view text) {
    const auto at = static_cast<std::uint32_t>(bytes.size());
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.push_back(0);
    return at;
  }
  byte_list bytes{0};
};

inline Elf64_Sym made_symbol(std::uint32_t name, int type, std::uint64_t value,
                             std::uint64_t size = 0, std::uint16_t section = 1,
                             int binding = STB_GLOBAL) {
  Elf64_Sym symbol{};
  symbol.st_name = name;
  symbol.st_info = static_cast<unsigned char>(ELF64_ST_INFO(binding, type));
  symbol.st_shndx = section;
  symbol.st_value = value;
  symbol.st_size = size;
  return symbol;
}

inline Elf64_Rela made_relocation(std::uint64_t at, std::uint64_t symbol, std::uint64_t type,
                                  std::int64_t addend) {
  Elf64_Rela entry{};
  entry.r_offset = at;
  entry.r_info = ELF64_R_INFO(symbol, type);
  entry.r_addend = addend;
  return entry;
}

}  // namespace bast_stacks::test
