// SPDX-License-Identifier: Apache-2.0
//
// Core files byte by byte: each header value that is refused, each note, each kind of truncation.
#include "read/core_file.hpp"

#include <elf.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <functional>

#include "model/test_record_text.hpp"
#include "read/testing/core_text.hpp"
#include "read/testing/core_writer.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::changed;
using testing::core_bytes;
using testing::core_text;
using testing::core_writer;
using testing::parsed_core;

core_writer example_core() {
  core_writer core;
  core.add_thread(77, 0x1001, 0x1002, 0x1003);
  core.add_signal(SIGSEGV, 0x2001);
  core.add_thread(78, 0x1004, 0x1005, 0x1006);
  core.add_signal(SIGBUS, 0x2002);
  std::vector<std::byte> info(136);
  const std::uint32_t pid = 76;
  std::memcpy(info.data() + 24, &pid, sizeof pid);
  std::memcpy(info.data() + 40, "a name of 16 byte", 16);
  core.add_note(NT_PRPSINFO, info);
  const std::uint64_t auxiliary[] = {AT_PAGESZ, 4096, AT_PHDR, 0x5040, AT_NULL, 0};
  core.add_note(NT_AUXV, std::as_bytes(std::span(auxiliary)));
  core.add_files({{.low = 0x5000, .high = 0x6000, .offset_pages = 0, .path = "/bin/it"},
                  {.low = 0x6000, .high = 0x9000, .offset_pages = 1, .path = "/bin/it"},
                  {.low = 0xa000, .high = 0xb000, .offset_pages = 2, .path = "/lib/x y"}});
  return core;
}

constexpr std::string_view example_text =
    "pid=76 name=a name of 16 byt fault=0x2001 headers=0x5040 truncated=false\n"
    "thread 77 sp=0x1002 pc=0x1001 fp=0x1003\n"
    "thread 78 sp=0x1005 pc=0x1004 fp=0x1006\n"
    "0x5000-0x6000 0x0 /bin/it\n"
    "0x6000-0x9000 0x1000 /bin/it\n"
    "0xa000-0xb000 0x2000 /lib/x y";

TEST(CoreFile, EveryNoteIsInItsPlace) {
  const auto bytes = example_core().finish();
  EXPECT_EQ(core_text(bytes), example_text);
  const auto core = parsed_core(bytes);
  EXPECT_EQ(core->program(), "/bin/it");
  core_file elsewhere;
  elsewhere.mappings = core->mappings;
  elsewhere.program_headers = 0xa000;
  EXPECT_EQ(elsewhere.program(), "/lib/x y");
  elsewhere.program_headers = 0xb000;
  EXPECT_EQ(elsewhere.program(), "");
  elsewhere.program_headers = 0x4fff;
  EXPECT_EQ(elsewhere.program(), "");
}

TEST(CoreFile, RegistersAreWhereTheCpuHasThem) {
  std::vector<std::byte> status(112 + 8 * 34);
  for (std::uint64_t i = 0; i < 34; ++i) {
    const std::uint64_t word = 9000 + i;
    std::memcpy(status.data() + 112 + 8 * i, &word, sizeof word);
  }
  core_writer core;
  core.add_note(NT_PRSTATUS, status);
  const auto bytes = core.finish();
  EXPECT_EQ(core_text(bytes),
            "pid=0 name= fault=0x0 headers=0x0 truncated=false\n"
            "thread 0 sp=0x233b pc=0x2338 fp=0x232c");
  EXPECT_EQ(core_text(changed<Elf64_Ehdr>(bytes, 0, [](auto& h) { h.e_machine = EM_AARCH64; })),
            "pid=0 name= fault=0x0 headers=0x0 truncated=false\n"
            "thread 0 sp=0x2347 pc=0x2348 fp=0x2345");
}

TEST(CoreFile, EachNumberOfItsHeaderIsChecked) {
  const auto refusal = [](const std::function<void(Elf64_Ehdr&)>& change) {
    return core_text(changed<Elf64_Ehdr>(example_core().finish(), 0, change));
  };
  for (const int i : {EI_MAG0, EI_MAG1, EI_MAG2, EI_MAG3})
    EXPECT_EQ(refusal([&](auto& h) { h.e_ident[i] = 0x7e; }), "3 it is not an ELF file") << i;
  EXPECT_EQ(refusal([](auto& h) { h.e_ident[EI_CLASS] = ELFCLASS32; }),
            "3 it is a 32-bit ELF file");
  EXPECT_EQ(refusal([](auto& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; }), "3 it is big-endian");
  for (const std::uint16_t type : std::array<std::uint16_t, 2>{ET_CORE - 1, ET_CORE + 1})
    EXPECT_EQ(refusal([&](auto& h) { h.e_type = type; }), "3 it is an ELF file, but no core");
  EXPECT_EQ(refusal([](auto& h) { h.e_machine = EM_386; }),
            "3 it is of machine 3; bast runs on x86-64 and aarch64");
  for (const std::uint16_t size : std::array<std::uint16_t, 2>{55, 57})
    EXPECT_EQ(refusal([&](auto& h) { h.e_phentsize = size; }),
              fmt::format("3 its e_phentsize is {}", size));
  EXPECT_EQ(refusal([](auto& h) { h.e_phoff = UINT64_MAX - 7; }),
            "3 its program headers are not there");
  core_bytes head(63);
  std::memcpy(head.data(), example_core().finish().data(), head.size());
  EXPECT_EQ(core_text(head), "3 it is not an ELF file");
}

TEST(CoreFile, SoManyProgramHeadersAsThereIsRoomFor) {
  const auto with = [](std::uint16_t count, std::size_t bytes) {
    core_bytes all = core_writer().finish();
    all.resize(bytes);
    return core_text(changed<Elf64_Ehdr>(all, 0, [&](auto& h) { h.e_phnum = count; }));
  };
  const std::string good = "pid=0 name= fault=0x0 headers=0x0 truncated=false";
  EXPECT_EQ(with(0, 64), good);
  EXPECT_EQ(with(2, 64 + 112), good);
  EXPECT_EQ(with(2, 64 + 111), "3 its program headers are not there");
  EXPECT_EQ(with(2, 111), "3 it has 2 program headers in 111 bytes");
  EXPECT_EQ(with(2, 112), "3 its program headers are not there");
}

TEST(CoreFile, TheNumberOfManyHeadersIsInTheFirstSection) {
  const auto with = [](std::uint32_t count, std::uint64_t section, std::size_t bytes) {
    core_bytes all = core_writer().finish();
    all.resize(bytes);
    all = changed<Elf64_Ehdr>(all, 0, [&](auto& h) {
      h.e_phnum = PN_XNUM;
      h.e_shoff = section;
    });
    if (section + sizeof(Elf64_Shdr) <= bytes)
      all = changed<Elf64_Shdr>(all, section, [&](auto& h) { h.sh_info = count; });
    return core_text(all);
  };
  const std::string good = "pid=0 name= fault=0x0 headers=0x0 truncated=false";
  EXPECT_EQ(with(3, 512, 512 + sizeof(Elf64_Shdr)), good);
  EXPECT_EQ(with(3, 512, 511 + sizeof(Elf64_Shdr)), "3 its first section header is not there");
  EXPECT_EQ(with((1 << 20) + 1, 512, 1024), "3 it has 1048577 program headers in 1024 bytes");
}

/// Zeros after its first bytes, up to a size that is never stored.
class padded_source final : public source {
 public:
  padded_source(core_bytes bytes, std::uint64_t size) : bytes_(std::move(bytes)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    std::ranges::fill(into, std::byte{});
    if (offset < bytes_.size()) buffer_source(bytes_).read_at(offset, into);
    return into.size();
  }

 private:
  core_bytes bytes_;
  std::uint64_t size_;
};

TEST(CoreFile, OfAMillionProgramHeadersAndOneMore) {
  const auto with = [](std::uint32_t count) {
    core_bytes all = core_writer().finish();
    all.resize(1024);
    all = changed<Elf64_Ehdr>(all, 0, [](auto& h) {
      h.e_phnum = PN_XNUM;
      h.e_shoff = 512;
      h.e_phoff = 1024;
    });
    all = changed<Elf64_Shdr>(all, 512, [&](auto& h) { h.sh_info = count; });
    const auto core = parse_core(std::make_shared<padded_source>(all, 60 << 20));
    return core ? core_text(*core) : error_text(core);
  };
  EXPECT_EQ(with(1 << 20), "pid=0 name= fault=0x0 headers=0x0 truncated=false");
  EXPECT_EQ(with((1 << 20) + 1), "3 it has 1048577 program headers in 62914560 bytes");
}

TEST(CoreFile, MemoryIsReadFromItsSegments) {
  static constexpr std::string_view text = "abcdefgh";
  core_writer core;
  core.add_memory(text.data(), 8);
  core_bytes bytes = core.finish();
  const std::size_t at = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
  const auto read = [&](const std::function<void(Elf64_Phdr&)>& change, std::size_t size) {
    core_bytes all = changed<Elf64_Phdr>(bytes, at, change);
    all.resize(all.size() + size - 8);
    const auto parsed = parsed_core(all);
    std::string seen(8, '?');
    std::size_t there = 0;
    for (; there < 8; ++there) {
      const auto into = std::as_writable_bytes(std::span(seen)).first(there + 1);
      if (!parsed->memory->read(reinterpret_cast<std::uint64_t>(text.data()), into)) break;
    }
    return fmt::format("{} {}", seen.substr(0, there), parsed->truncated);
  };
  EXPECT_EQ(read([](auto&) {}, 8), "abcdefgh false");
  EXPECT_EQ(read([](auto&) {}, 7), "abcdefg true");
  EXPECT_EQ(read([](auto& s) { s.p_memsz = 3; }, 8), "abc false");
  EXPECT_EQ(read([](auto& s) { s.p_filesz = 5; }, 8), "abcde false");
  EXPECT_EQ(read([](auto& s) { s.p_filesz = 0; }, 8), " false");
  EXPECT_EQ(read(
                [](auto& s) {
                  s.p_offset += 2;
                  s.p_memsz = 6;
                },
                10),
            "cdefgh false");
  EXPECT_EQ(read([](auto& s) { s.p_offset = UINT64_MAX - 3; }, 8), " true");
  EXPECT_EQ(read([](auto& s) { s.p_type = PT_NULL; }, 8), " false");
}

TEST(CoreFile, NotesThatAreCutOrOfOthersAreNoTrouble) {
  const auto bytes = example_core().finish();
  const std::size_t at = sizeof(Elf64_Ehdr);
  const auto with = [&](const std::function<void(Elf64_Phdr&)>& change) {
    return core_text(changed<Elf64_Phdr>(bytes, at, change));
  };
  const std::string nothing = "pid=0 name= fault=0x0 headers=0x0 truncated=";
  EXPECT_EQ(with([](auto& s) { s.p_filesz = 0; }), nothing + "false");
  EXPECT_EQ(with([&](auto& s) { s.p_filesz = bytes.size() + 1; }), nothing + "true");
  EXPECT_EQ(with([&](auto& s) { s.p_offset = bytes.size() - 3; }).substr(0, 60),
            (nothing + "true").substr(0, 60));
  EXPECT_EQ(with([](auto& s) { s.p_filesz = 12 + 8 + 336; }),
            nothing + "false\nthread 77 sp=0x1002 pc=0x1001 fp=0x1003");
  EXPECT_EQ(with([](auto& s) { s.p_filesz = 12 + 8 + 335; }), nothing + "false");
  core_bytes other = bytes;
  other[at + sizeof(Elf64_Phdr) + sizeof(Elf64_Nhdr)] = std::byte{'K'};  // "KORE"
  EXPECT_EQ(core_text(other), std::string(example_text).erase(example_text.find("thread 77"), 40));
}

}  // namespace
}  // namespace bast_stacks
