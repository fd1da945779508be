// SPDX-License-Identifier: Apache-2.0
//
// A small file made by hand: everything read from it is compared, and again with each field of its
// header and each bound of its tables off by one.
#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "code/elf_file.hpp"
#include "code/testing/elf_text.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

using test::byte_list;
using test::made_elf;
using test::made_relocation;
using test::made_symbol;
using test::made_texts;
using test::put;

using test::dynamic_text;
using test::executed;
using test::whole_text;

made_elf with_everything(bool arm = false) {
  made_texts names;
  const auto alpha = names.add("alpha");
  const auto beta = names.add("beta");
  const auto missing = names.add("missing");
  const auto library = names.add("libone.so");
  const auto second = names.add("libtwo.so");
  const auto path = names.add("/opt/lib:/opt/more");
  const auto old = names.add("/old");
  byte_list symbols;
  for (const auto& one : {Elf64_Sym{}, made_symbol(alpha, STT_FUNC, 0x1000, 32),
                          made_symbol(beta, STT_GNU_IFUNC, 0x1020, 16),
                          made_symbol(missing, STT_FUNC, 0, 0, SHN_UNDEF, STB_WEAK)})
    put(symbols, one);
  byte_list relocations;
  put(relocations,
      made_relocation(0x3018, 0, arm ? R_AARCH64_IRELATIVE : R_X86_64_IRELATIVE, 0x1020));
  put(relocations,
      made_relocation(0x3000, 0, arm ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE, 0x1010));
  put(relocations, made_relocation(0x3008, 1, arm ? R_AARCH64_GLOB_DAT : R_X86_64_GLOB_DAT, 0));
  put(relocations, made_relocation(0x3010, 3, arm ? R_AARCH64_GLOB_DAT : R_X86_64_GLOB_DAT, 0));
  // The symbol after the last, and the one without a name.
  put(relocations, made_relocation(0x3020, 4, arm ? R_AARCH64_GLOB_DAT : R_X86_64_GLOB_DAT, 0));
  put(relocations, made_relocation(0x3028, 0, arm ? R_AARCH64_GLOB_DAT : R_X86_64_GLOB_DAT, 0));
  byte_list plt;
  put(plt, made_relocation(0x3030, 2, arm ? R_AARCH64_JUMP_SLOT : R_X86_64_JUMP_SLOT, 0));
  put(plt, made_relocation(0x3038, 0, arm ? R_AARCH64_IRELATIVE : R_X86_64_IRELATIVE, 0x1020));
  byte_list apart;
  put(apart, made_relocation(0x3040, 0, arm ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE, 0x1010));
  byte_list dynamic;
  for (const auto& [tag, value] :
       std::vector<std::pair<std::int64_t, std::uint64_t>>{{DT_NEEDED, library},
                                                           {DT_RPATH, old},
                                                           {DT_RUNPATH, path},
                                                           {DT_NEEDED, second},
                                                           {DT_FLAGS, DF_BIND_NOW | DF_TEXTREL},
                                                           {DT_NULL, 0},
                                                           {DT_NEEDED, alpha}}) {
    put(dynamic, tag);
    put(dynamic, value);
  }
  byte_list note;
  for (const std::uint32_t word : {4U, 3U, static_cast<unsigned>(NT_GNU_BUILD_ID)}) put(note, word);
  for (const char letter : {'G', 'N', 'U', '\0', '\x12', '\xab', '\x7f', '\0'}) put(note, letter);
  return {.machine = arm ? std::uint16_t{EM_AARCH64} : std::uint16_t{EM_X86_64},
          .sections = {{".text", SHT_PROGBITS, executed, 0x1000, byte_list(64, 0x90)},
                       {".dynsym", SHT_DYNSYM, SHF_ALLOC, 0x400, symbols, 3},
                       {".dynstr", SHT_STRTAB, SHF_ALLOC, 0x600, names.bytes},
                       {".rela.dyn", SHT_RELA, SHF_ALLOC, 0x700, relocations, 2},
                       {".rela.plt", SHT_RELA, SHF_ALLOC, 0x900, plt, 2},
                       {".rela.debug_info", SHT_RELA, 0, 0, apart, 2},
                       {".dynamic", SHT_DYNAMIC, SHF_ALLOC | SHF_WRITE, 0x2000, dynamic, 3},
                       {".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, 0x300, note},
                       {".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0x4000, {}, 0, 128}}};
}

TEST(ElfWhole, EverythingOfASmallFile) {
  test::expect_whole("code/whole/elf_x86.txt", whole_text(with_everything().image()));
  test::expect_whole("code/whole/elf_arm.txt", whole_text(with_everything(true).image()));
}

TEST(ElfWhole, EachFieldOfTheHeaderWrongByOne) {
  struct field {
    const char* name;
    std::size_t at;
    std::size_t bytes;
  };
#define BAST_FIELD(name) {#name, offsetof(Elf64_Ehdr, name), sizeof(Elf64_Ehdr::name)}
  const field fields[] = {
      {"magic 0", 0, 1},          {"magic 1", 1, 1},      {"magic 2", 2, 1},
      {"magic 3", 3, 1},          {"class", EI_CLASS, 1}, {"data", EI_DATA, 1},
      {"version", EI_VERSION, 1}, {"abi", EI_OSABI, 1},   BAST_FIELD(e_type),
      BAST_FIELD(e_machine),      BAST_FIELD(e_version),  BAST_FIELD(e_entry),
      BAST_FIELD(e_phoff),        BAST_FIELD(e_flags),    BAST_FIELD(e_ehsize),
      BAST_FIELD(e_phentsize),    BAST_FIELD(e_phnum),    BAST_FIELD(e_shentsize)};
#undef BAST_FIELD
  std::string text;
  for (const bool arm : {false, true}) {
    const auto good = with_everything(arm).image();
    const auto is_good = whole_text(good);
    for (const auto& one : fields) {
      for (const int change : {1, -1}) {
        auto image = good;
        std::uint64_t value = 0;
        std::memcpy(&value, image.data() + one.at, one.bytes);
        value += static_cast<std::uint64_t>(change);
        std::memcpy(image.data() + one.at, &value, one.bytes);
        const auto found = whole_text(image);
        text +=
            fmt::format("{}{:+}: {}", one.name, change, found == is_good ? "the same\n" : found);
      }
    }
  }
  test::expect_whole("code/whole/elf_headers.txt", text);
}

TEST(ElfWhole, OnlyProgramsAndLibrariesOfTwoMachines) {
  std::string text;
  for (std::uint16_t type = 0; type <= 5; ++type) {
    auto made = with_everything();
    made.type = type;
    text += elf_file::open(made.image(), "x") ? "1" : "0";
  }
  EXPECT_EQ(text, "001100");
  std::string machines;
  for (std::uint16_t machine = 0; machine < 300; ++machine) {
    auto made = with_everything();
    made.machine = machine;
    const auto image = made.image();
    if (elf_file::open(image, "x")) machines += fmt::format("{} ", machine);
  }
  EXPECT_EQ(machines, "62 183 ");
}

TEST(ElfWhole, ErrorsOfBytes) {
  const byte_list nothing;
  EXPECT_EQ(whole_text(nothing), "made is empty\n");
  EXPECT_EQ(whole_text({'x'}), "made is not an ELF file\n");
  EXPECT_EQ(whole_text(test::bytes_of("!<arch>\n")), "made is not an ELF file\n");
  const auto good = with_everything().image();
  const byte_list start(good.begin(), good.begin() + 63);
  EXPECT_NE(whole_text(start), whole_text(good));
}

// --- the dynamic linker's data -------------------------------------------------------------------

std::string dynamic_of(const std::vector<std::pair<std::int64_t, std::uint64_t>>& entries,
                       const byte_list& names) {
  byte_list bytes;
  for (const auto& [tag, value] : entries) {
    put(bytes, tag);
    put(bytes, value);
  }
  made_elf made{.sections = {{".dynamic", SHT_DYNAMIC, SHF_ALLOC, 0x2000, bytes, 2},
                             {".dynstr", SHT_STRTAB, SHF_ALLOC, 0x600, names}}};
  const auto image = made.image();
  return dynamic_text(*elf_file::open(image, "made").value());
}

TEST(ElfWhole, EveryWayToBindNow) {
  EXPECT_EQ(dynamic_of({}, {}), "run path \"\"\n");
  EXPECT_EQ(dynamic_of({{DT_BIND_NOW, 0}}, {}), "run path \"\", binds now\n");
  EXPECT_EQ(dynamic_of({{DT_FLAGS, DF_BIND_NOW}}, {}), "run path \"\", binds now\n");
  EXPECT_EQ(dynamic_of({{DT_FLAGS, ~std::uint64_t{DF_BIND_NOW}}}, {}), "run path \"\"\n");
  EXPECT_EQ(dynamic_of({{DT_FLAGS_1, DF_1_NOW}}, {}), "run path \"\", binds now\n");
  EXPECT_EQ(dynamic_of({{DT_FLAGS_1, ~std::uint64_t{DF_1_NOW}}}, {}), "run path \"\"\n");
  EXPECT_EQ(dynamic_of({{DT_BIND_NOW, 0}, {DT_FLAGS, 0}, {DT_FLAGS_1, 0}}, {}),
            "run path \"\", binds now\n");
  EXPECT_EQ(dynamic_of({{DT_NULL, 0}, {DT_BIND_NOW, 0}}, {}), "run path \"\"\n");
}

TEST(ElfWhole, TheOlderPathCountsWithoutTheNewer) {
  made_texts names;
  const std::uint64_t a = names.add("/a");
  const std::uint64_t b = names.add("/b");
  EXPECT_EQ(dynamic_of({{DT_RPATH, a}}, names.bytes), "run path \"/a\"\n");
  EXPECT_EQ(dynamic_of({{DT_RUNPATH, b}}, names.bytes), "run path \"/b\"\n");
  EXPECT_EQ(dynamic_of({{DT_RPATH, a}, {DT_RUNPATH, b}}, names.bytes), "run path \"/b\"\n");
  EXPECT_EQ(dynamic_of({{DT_RUNPATH, b}, {DT_RPATH, a}}, names.bytes), "run path \"/b\"\n");
  EXPECT_EQ(dynamic_of({{DT_RUNPATH, 0}, {DT_RPATH, a}}, names.bytes), "run path \"/a\"\n");
}

TEST(ElfWhole, AFileNeedsAThousandLibrariesAtMost) {
  made_texts names;
  const std::uint64_t one = names.add("l");
  std::vector<std::pair<std::int64_t, std::uint64_t>> entries(1001, {DT_NEEDED, one});
  entries[3].second = 0;  // without a name
  const auto count = [&] {
    const auto text = dynamic_of(entries, names.bytes);
    return std::ranges::count(text, 'l');
  };
  EXPECT_EQ(count(), 1000);
  entries.emplace_back(DT_NEEDED, one);
  EXPECT_EQ(count(), 1000);
  entries.resize(1000);
  EXPECT_EQ(count(), 999);
}

}  // namespace
}  // namespace bast_stacks
