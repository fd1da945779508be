// SPDX-License-Identifier: Apache-2.0
//
// The tables of a file made by hand: each kind of symbol, each bound at its last byte and the next.
#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "code/elf_file.hpp"
#include "code/testing/elf_text.hpp"

namespace bast_stacks {
namespace {

using test::byte_list;
using test::made_elf;
using test::made_symbol;
using test::made_texts;
using test::put;

using test::executed;
using test::functions_text;

// --- symbols -------------------------------------------------------------------------------------

made_elf with_symbols(const std::vector<Elf64_Sym>& symbols, const byte_list& names,
                      std::uint32_t table = SHT_SYMTAB) {
  byte_list bytes;
  for (const auto& one : symbols) put(bytes, one);
  return {.sections = {{".text", SHT_PROGBITS, executed, 0x1000, byte_list(256, 0x90)},
                       {".table", table, 0, 0, bytes, 3},
                       {".names", SHT_STRTAB, 0, 0, names},
                       {".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x2000, byte_list(64, 1)}}};
}

std::string functions_of(const made_elf& made) {
  const auto image = made.image();
  const auto file = elf_file::open(image, "made");
  return file ? functions_text(**file) : file.error().what;
}

TEST(ElfTables, WhatIsAFunction) {
  made_texts names;
  std::vector<Elf64_Sym> all;
  std::uint64_t at = 0x1000;
  for (const int type : {STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_COMMON,
                         STT_TLS, STT_GNU_IFUNC})
    all.push_back(made_symbol(names.add(fmt::format("type_{}", type)), type, at++, 1));
  for (const std::uint16_t section :
       {std::uint16_t{SHN_UNDEF}, std::uint16_t{1}, std::uint16_t{SHN_LORESERVE - 1},
        std::uint16_t{SHN_LORESERVE}, std::uint16_t{SHN_ABS}}) {
    for (const int type : {STT_NOTYPE, STT_FUNC})
      all.push_back(made_symbol(names.add(fmt::format("section_{:x}_{}", section, type)), type,
                                at++, 1, section));
  }
  all.push_back(made_symbol(0, STT_FUNC, at++, 1));
  all.push_back(made_symbol(names.add("$x"), STT_NOTYPE, at++, 1));
  all.push_back(made_symbol(names.add("x$"), STT_NOTYPE, at++, 1));
  for (const std::uint64_t edge : {0xfffU, 0x10ffU, 0x1100U, 0x2000U})
    all.push_back(made_symbol(names.add(fmt::format("at_{:x}", edge)), STT_FUNC, edge, 2));
  EXPECT_EQ(functions_of(with_symbols(all, names.bytes)),
            "function 0x1000+1 type_0\n"
            "function 0x1002+1 type_2\n"
            "function 0x1007+1 type_10 chosen\n"
            "function 0x100a+1 section_1_0\n"
            "function 0x100b+1 section_1_2\n"
            "function 0x100c+1 section_feff_0\n"
            "function 0x100d+1 section_feff_2\n"
            "function 0x100f+1 section_ff00_2\n"
            "function 0x1011+1 section_fff1_2\n"
            "function 0x1014+1 x$\n"
            "function 0x10ff+2 at_10ff\n");
}

TEST(ElfTables, NamesEndInsideTheirTable) {
  made_texts names;
  const auto longest = names.add(std::string((16 << 10) - 1, 'a'));
  const auto too_long = names.add(std::string(16 << 10, 'b'));
  const auto last = names.add("z");
  const auto behind = static_cast<std::uint32_t>(names.bytes.size());
  auto open = names.bytes;
  open.push_back('q');
  const auto made =
      with_symbols({made_symbol(longest, STT_FUNC, 0x1000), made_symbol(too_long, STT_FUNC, 0x1001),
                    made_symbol(last, STT_FUNC, 0x1002), made_symbol(behind, STT_FUNC, 0x1003),
                    made_symbol(behind + 1, STT_FUNC, 0x1004), made_symbol(~0U, STT_FUNC, 0x1005)},
                   open);
  EXPECT_EQ(functions_of(made), "function 0x1000+0 (16383 letters)\nfunction 0x1002+0 z\n");
}

TEST(ElfTables, ATableHasWholeEntriesOrNone) {
  made_texts names;
  auto made = with_symbols({made_symbol(names.add("one"), STT_FUNC, 0x1000),
                            made_symbol(names.add("two"), STT_FUNC, 0x1001)},
                           names.bytes);
  made.sections[2].bytes = names.bytes;
  const std::string both = "function 0x1000+0 one\nfunction 0x1001+0 two\n";
  EXPECT_EQ(functions_of(made), both);
  made.sections[1].link = 9;
  EXPECT_EQ(functions_of(made), "");
  made.sections[1].link = 3;
  made.sections[1].bytes.pop_back();
  EXPECT_EQ(functions_of(made), "");
}

TEST(ElfTables, OfSeveralNamesTheBestCounts) {
  made_texts names;
  const auto short_name = names.add("ab");
  const auto long_name = names.add("abc");
  const auto same_length = names.add("abb");
  const auto letter = names.add("a");
  const auto text = [&](const std::vector<Elf64_Sym>& symbols,
                        const std::vector<Elf64_Sym>& exported) {
    auto made = with_symbols(symbols, names.bytes);
    byte_list bytes;
    for (const auto& one : exported) put(bytes, one);
    made.sections.push_back({".dynsym", SHT_DYNSYM, 0, 0, bytes, 3});
    return functions_of(made);
  };
  const auto sized = [&](std::uint32_t name) { return made_symbol(name, STT_FUNC, 0x1000, 5); };
  const auto unsized = [&](std::uint32_t name) { return made_symbol(name, STT_FUNC, 0x1000, 0); };
  for (const auto& [first, second] : {std::pair{0, 1}, {1, 0}}) {
    const auto both = [&](Elf64_Sym a, Elf64_Sym b) {
      return first < second ? std::vector{a, b} : std::vector{b, a};
    };
    EXPECT_EQ(text(both(sized(letter), unsized(long_name)), {}), "function 0x1000+5 a\n");
    EXPECT_EQ(text(both(sized(short_name), sized(long_name)), {}), "function 0x1000+5 abc\n");
    EXPECT_EQ(text(both(sized(same_length), sized(long_name)), {}), "function 0x1000+5 abb\n");
    EXPECT_EQ(text(both(unsized(short_name), unsized(long_name)), {}), "function 0x1000+0 abc\n");
  }
  EXPECT_EQ(text({sized(long_name)}, {sized(letter)}), "function 0x1000+5 a exported\n");
  EXPECT_EQ(text({sized(letter)}, {unsized(long_name)}), "function 0x1000+5 a\n");
}

TEST(ElfTables, AFunctionEndsWithItsSizeOrTheNext) {
  made_texts names;
  auto made = with_symbols({made_symbol(names.add("first"), STT_FUNC, 0x1010, 16),
                            made_symbol(names.add("second"), STT_FUNC, 0x1030)},
                           {});
  made.sections[2].bytes = names.bytes;
  made.sections.push_back({".more", SHT_PROGBITS, executed, 0x1100, byte_list(16, 0x90)});
  const auto image = made.image();
  const auto file = elf_file::open(image, "made").value();
  std::string text;
  for (const std::uint64_t at :
       {0x100fU, 0x1010U, 0x101fU, 0x1020U, 0x102fU, 0x1030U, 0x10ffU, 0x1100U}) {
    const auto* const found = file->function_at(at);
    text += fmt::format("{:x} {}\n", at, found == nullptr ? "none" : found->name);
  }
  EXPECT_EQ(text,
            "100f none\n1010 first\n101f first\n1020 none\n102f none\n1030 second\n10ff second\n"
            "1100 none\n");
}

TEST(ElfTables, AnOldVersionIsFoundOnlyWhereThereIsNoNewOne) {
  made_texts names;
  const auto name = names.add("f");
  const auto other = names.add("g");
  for (const std::uint16_t first : {std::uint16_t{0x8002}, std::uint16_t{2}}) {
    auto made = with_symbols(
        {Elf64_Sym{}, made_symbol(name, STT_FUNC, 0x1000, 1),
         made_symbol(name, STT_FUNC, 0x1001, 1), made_symbol(other, STT_FUNC, 0x1002, 1)},
        names.bytes, SHT_DYNSYM);
    byte_list versions;
    for (const std::uint16_t version :
         {std::uint16_t{0}, first, static_cast<std::uint16_t>(first ^ 0x8000U)})
      put(versions, version);
    made.sections.push_back({".gnu.version", SHT_GNU_versym, 0, 0, versions});
    const auto image = made.image();
    const auto file = elf_file::open(image, "made").value();
    ASSERT_NE(file->exported("f"), nullptr);
    EXPECT_EQ(file->exported("f")->address, first == 2 ? 0x1000U : 0x1001U);
    ASSERT_NE(file->exported("g"), nullptr);
    EXPECT_EQ(file->exported("g")->address, 0x1002U);
    EXPECT_EQ(file->exported("h"), nullptr);
    EXPECT_EQ(file->addresses_of("f"), (std::vector<std::uint64_t>{0x1000, 0x1001}));
    EXPECT_EQ(file->addresses_of("h"), (std::vector<std::uint64_t>{}));
  }
}

// --- reading of sections ------------------------------------------------------------------------

TEST(ElfTables, NoMoreIsReadThanTwiceTheFile) {
  auto made = with_symbols({}, {});
  made.sections.push_back({".large", SHT_PROGBITS, 0, 0, byte_list(20'000, 7)});
  for (const char* const name : {".a", ".b", ".c", ".d", ".e"})
    made.sections.push_back({name, SHT_PROGBITS, 0, 0, {}, 0, 0, 0});
  const auto bytes = made.image().size();
  for (std::size_t i = 5; i < 10; ++i)
    made.sections[i].size = i < 7 ? bytes : i == 7 ? 4097 : i == 8 ? 4096 : 1;
  const auto image = made.image();
  ASSERT_EQ(image.size(), bytes);
  const auto file = elf_file::open(image, "made").value();
  std::string text;
  for (const char* const name : {".a", ".b", ".c", ".d", ".e"})
    text += fmt::format("{} ", file->contents(*file->section(name)).size());
  EXPECT_EQ(text, fmt::format("{} {} 0 4096 0 ", bytes, bytes));
  // A section that was read before is still available.
  EXPECT_EQ(file->contents(*file->section(".d")).size(), 4096U);
  EXPECT_EQ(file->contents(*file->section(".a")).data(),
            file->contents(*file->section(".a")).data());
}

TEST(ElfTables, AddressesAreThoseOfLoadedSections) {
  made_elf made{
      .sections = {{".tbss", SHT_NOBITS, SHF_ALLOC | SHF_TLS, 0x1000, {}, 0, 64},
                   {".comment", SHT_PROGBITS, 0, 0x1000, byte_list(64, 1)},
                   {".text", SHT_PROGBITS, executed, 0x1000, byte_list(32, 2)},
                   {".packed", SHT_PROGBITS, SHF_ALLOC | SHF_COMPRESSED, 0x2000, byte_list(32, 3)},
                   {".data", SHT_PROGBITS, SHF_ALLOC, 0x3000, byte_list(32, 4)}}};
  const auto image = made.image();
  const auto file = elf_file::open(image, "made").value();
  std::string text;
  for (const std::uint64_t at : {0xfffU, 0x1000U, 0x101fU, 0x1020U, 0x2000U, 0x3000U}) {
    const auto* const found = file->section_at(at);
    text += fmt::format("{:x} {} {} {}\n", at, found == nullptr ? "none" : found->name,
                        found == nullptr ? 0 : file->contents(*found).size(),
                        file->code_at(at, 8).size());
  }
  EXPECT_EQ(text,
            "fff none 0 0\n1000 .text 32 8\n101f .text 32 1\n1020 none 0 0\n2000 .packed 0 0\n"
            "3000 .data 32 0\n");
  EXPECT_EQ(file->code_at(0x1000, 0).size(), 0U);
  EXPECT_EQ(file->code_at(0x1000, 32).size(), 32U);
  EXPECT_EQ(file->code_at(0x1001, 32).size(), 31U);
}

}  // namespace
}  // namespace bast_stacks
