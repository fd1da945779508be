// SPDX-License-Identifier: Apache-2.0
//
// Modules and their notes, from ELF headers written byte by byte: in memory, in a file, or cut in
// between.
#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "model/test_record_text.hpp"
#include "read/elf_image.hpp"
#include "read/mapped_files.hpp"
#include "read/modules.hpp"
#include "read/testing/scripted_memory.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using test::record_text;
using testing::scripted_memory;

constexpr std::uint64_t image_home = 0x50'0000;

/// The first bytes of an ELF file: its header, two segments, the notes of GNU and of bast.
struct image_bytes {
  Elf64_Ehdr header{};
  Elf64_Phdr load{};
  Elf64_Phdr note{};
  struct {
    Elf64_Nhdr head{.n_namesz = 4, .n_descsz = 4, .n_type = NT_GNU_BUILD_ID};
    char owner[4] = {'G', 'N', 'U', 0};
    unsigned char id[4] = {0x01, 0xab, 0xcd, 0xef};
  } build;
  struct {
    Elf64_Nhdr head{.n_namesz = 5, .n_descsz = 8, .n_type = bast::watch::note_type};
    char owner[8] = {'b', 'a', 's', 't', 0};
    std::int32_t distance[2] = {0x2000, 0};
  } ours;

  image_bytes() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    load.p_type = PT_LOAD;
    load.p_vaddr = 0x10'1000;
    load.p_offset = 0x1000;
    note.p_type = PT_NOTE;
    note.p_offset = offsetof(image_bytes, build);
    note.p_vaddr = 0x10'0000 + offsetof(image_bytes, build);
    note.p_filesz = sizeof build + sizeof ours;
    note.p_align = 4;
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(this, 1)); }
};
static_assert(sizeof(image_bytes) == 64 + 2 * 56 + 20 + 28);

constexpr std::uint64_t anchor_of = image_home + offsetof(image_bytes, ours) + 20 + 0x2000;

std::string image_text(const std::optional<elf_image>& image) {
  if (!image) return "none";
  return fmt::format("64={} bias={:#x} id={} anchors={:#x}", image->is_64_bit, image->bias,
                     image->build_id, fmt::join(image->anchors, ","));
}

std::string mapped_image(const std::function<void(image_bytes&)>& change, std::size_t cut = 0) {
  image_bytes image;
  change(image);
  scripted_memory target;
  target.put_bytes(image_home, image.bytes().first(sizeof image - cut));
  return image_text(read_elf_image({.mapped = &target, .file = nullptr, .base = image_home}));
}

const std::string whole_image =
    fmt::format("64=true bias=0x400000 id=01abcdef anchors={:#x}", anchor_of);

TEST(ElfImage, IsReadFromMemoryOrItsFile) {
  EXPECT_EQ(mapped_image([](image_bytes&) {}), whole_image);
  const image_bytes image;
  const buffer_source file(image.bytes());
  EXPECT_EQ(image_text(read_elf_image({.mapped = nullptr, .file = &file, .base = image_home})),
            whole_image);
  // Unmapped parts are read from the file.
  scripted_memory target;
  target.put_bytes(image_home, image.bytes().first(sizeof(Elf64_Ehdr)));
  EXPECT_EQ(image_text(read_elf_image({.mapped = &target, .file = &file, .base = image_home})),
            whole_image);
  EXPECT_EQ(image_text(read_elf_image({.mapped = &target, .file = nullptr, .base = image_home})),
            "64=true bias=0x0 id= anchors=");
  EXPECT_EQ(image_text(read_elf_image({.mapped = nullptr, .file = nullptr, .base = image_home})),
            "none");
}

TEST(ElfImage, EachNumberOfItIsChecked) {
  for (const int i : {EI_MAG0, EI_MAG1, EI_MAG2, EI_MAG3})
    EXPECT_EQ(mapped_image([&](image_bytes& b) { b.header.e_ident[i] ^= 1; }), "none");
  const std::string empty = " bias=0x0 id= anchors=";
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.header.e_ident[EI_CLASS] = ELFCLASS32; }),
            "64=false" + empty);
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.header.e_ident[EI_DATA] = ELFDATA2MSB; }),
            "64=true" + empty);
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.header.e_phentsize += 1; }), "64=true" + empty);
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.header.e_phoff += 0x1000; }), "64=true" + empty);
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.header.e_phnum = 0; }),
            "64=true bias=0x500000 id= anchors=");
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.header.e_phnum = 1; }),
            "64=true bias=0x400000 id= anchors=");
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.load.p_type = PT_NULL; }),
            fmt::format("64=true bias={:#x} id= anchors=", image_home));
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.load.p_offset += 3; }),
            "64=true bias=0x400003 id= anchors=");
  EXPECT_EQ(mapped_image([](image_bytes&) {}, 1), "64=true bias=0x400000 id= anchors=");
  const std::string without = "64=true bias=0x400000 id=01abcdef anchors=";
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.ours.owner[0] = 'B'; }), without);
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.ours.head.n_type += 1; }), without);
  EXPECT_EQ(mapped_image([](image_bytes& b) { b.ours.head.n_descsz = 4; }), without);
  EXPECT_EQ(
      mapped_image([](image_bytes& b) { b.ours.distance[0] = -0x3000, b.ours.distance[1] = -1; }),
      without + fmt::format("{:#x}", anchor_of - 0x5000));
}

TEST(ElfImage, NotesOfMoreThanAQuarterOfAMebibyteAreNotRead) {
  constexpr std::uint64_t most = 256 << 10;
  const auto with = [](std::uint64_t bytes) {
    image_bytes image;
    image.note.p_filesz = bytes;
    scripted_memory target;
    target.zeros_elsewhere = true;
    target.put_bytes(image_home, image.bytes());
    return image_text(read_elf_image({.mapped = &target, .file = nullptr, .base = image_home}));
  };
  EXPECT_EQ(with(most), whole_image);
  EXPECT_EQ(with(most + 1), "64=true bias=0x400000 id= anchors=");
  // Only so many segments are examined: a note after them does not count.
  const auto at = [](std::uint16_t place) {
    image_bytes image;
    image.header.e_phnum = 300;
    image.header.e_phoff = 0x1000;
    scripted_memory target;
    target.zeros_elsewhere = true;
    target.put_bytes(image_home, image.bytes());
    target.put(image_home + 0x1000, image.load);
    target.put(image_home + 0x1000 + place * sizeof(Elf64_Phdr), image.note);
    return image_text(read_elf_image({.mapped = &target, .file = nullptr, .base = image_home}));
  };
  EXPECT_EQ(at(255), whole_image);
  EXPECT_EQ(at(256), "64=true bias=0x400000 id= anchors=");
}

/// A file of such bytes that lives as long as this.
struct image_file {
  std::string path = ::testing::TempDir() + "bast-image-" + std::to_string(::getpid());
  explicit image_file(std::string_view more = {}) {
    std::ofstream out(path, std::ios::binary);
    const image_bytes image;
    out.write(reinterpret_cast<const char*>(&image), sizeof image);
    out << std::string(0x1000 - sizeof image, '.') << more;
  }
  ~image_file() { std::remove(path.c_str()); }
  image_file(const image_file&) = delete;
  image_file& operator=(const image_file&) = delete;
};

mapping mapping_of(std::uint64_t low, std::uint64_t high, std::uint64_t offset, std::string path) {
  return {.where = {.low = low, .high = high}, .offset = offset, .path = std::move(path)};
}

std::string modules_text(const found_modules& found) {
  std::string text;
  for (const module& each : found.modules) text += record_text(each) + "\n";
  return text + fmt::format("anchors={:#x} 32={}", fmt::join(found.anchors, ","), found.has_32_bit);
}

TEST(FindModules, AreWhatBeginsAFileThatIsElf) {
  scripted_memory target;
  const image_bytes image;
  target.put_bytes(image_home, image.bytes());
  target.put_bytes(image_home + 0x10'0000, image.bytes());
  image_bytes old;
  old.header.e_ident[EI_CLASS] = ELFCLASS32;
  target.put_bytes(0x1000, old.bytes());
  target.put_text(0x3000, "no ELF file, but long enough to hold a header of one: as data are, too");
  const std::vector<mapping> mappings{
      mapping_of(image_home + 0x10'0000, image_home + 0x10'1000, 0, "/b\x1b"),
      mapping_of(image_home + 0x10'1000, image_home + 0x10'3000, 0x1000, "/b\x1b"),
      mapping_of(image_home, image_home + 0x1000, 0, "/a"),
      mapping_of(image_home + 0x1000, image_home + 0x2000, 0, "/a"),  // begins again: no ELF there
      mapping_of(image_home + 0x2000, image_home + 0x3000, 0x1000, "/a"),
      mapping_of(0x1000, 0x2000, 0, "/old"),
      mapping_of(0x3000, 0x4000, 0, "/data"),
      mapping_of(0x9000, 0xa000, 0x1000, "/middle")};
  const auto found = find_modules(mappings, target, {}, {});
  EXPECT_EQ(modules_text(found),
            fmt::format("/old id= base=0x0 low=0x1000 high=0x2000 here=\n"
                        "/a id=01abcdef base=0x400000 low=0x500000 high=0x501000 here=\n"
                        "/b\ufffd id=01abcdef base=0x500000 low=0x600000 high=0x603000 here=\n"
                        "anchors={:#x},{:#x} 32=true",
                        anchor_of, anchor_of + 0x10'0000));
  // Two mappings of one place have one anchor.
  const std::vector<mapping> twice{mappings[2], mappings[2]};
  EXPECT_EQ(find_modules(twice, target, {}, {}).anchors, std::vector{anchor_of});
}

TEST(FindModules, WhatIsNotMappedIsReadFromTheFile) {
  const image_file file;
  scripted_memory nothing;
  const std::vector<mapping> mappings{
      mapping_of(image_home, image_home + 0x1000, 0, "/gone/program")};
  const auto found = [&](const std::string& program_path, const std::string& program) {
    return modules_text(find_modules(mappings, nothing, program_path, program));
  };
  EXPECT_EQ(found("", ""), "anchors= 32=false");
  EXPECT_EQ(found("/gone/program", ""), "anchors= 32=false");
  EXPECT_EQ(found("/gone/other", file.path), "anchors= 32=false");
  EXPECT_EQ(found("/gone/program", file.path),
            fmt::format("/gone/program id=01abcdef base=0x400000 low=0x500000 high=0x501000 "
                        "here={}\nanchors={:#x} 32=false",
                        file.path, anchor_of));
  // What is mapped takes precedence; the rest of the file is at the stated place.
  scripted_memory mapped;
  mapped.put_bytes(image_home, image_bytes().bytes());
  const auto seen = find_modules(mappings, mapped, "/gone/program", file.path).modules.at(0);
  EXPECT_EQ(seen.path, "/gone/program");
  EXPECT_EQ(seen.here, file.path);
  EXPECT_EQ(find_modules(mappings, mapped, "/gone/other", file.path).modules.at(0).here, "");
}

TEST(FindModules, SoManyAndNoMore) {
  scripted_memory target;
  std::vector<mapping> mappings;
  for (std::uint64_t i = 0; i < 4098; ++i) {
    target.put_bytes(image_home + i * 0x1000, image_bytes().bytes());
    mappings.push_back(mapping_of(image_home + i * 0x1000, image_home + (i + 1) * 0x1000, 0,
                                  fmt::format("/{}", i)));
  }
  EXPECT_EQ(find_modules(mappings, target, {}, {}).modules.size(), 4096U);
}

TEST(MappedFiles, AFileIsBelievedForItsBuildId) {
  const image_file file("abcdefghijklmnopqrstuvwxyz");
  const std::vector<mapping> mappings{mapping_of(0x5000, 0x5004, 0x1000, file.path),
                                      mapping_of(0x6000, 0x6004, 0x1010, file.path),
                                      mapping_of(0x8000, 0x8004, 0x1000, "/other")};
  const module good{.path = file.path, .build_id = "01abcdef", .low = 0x5000, .high = 0x6004};
  const auto read = [&](const module& of, std::uint64_t address, std::size_t bytes) {
    mapped_files target(mappings, {of});
    std::string text(bytes, '?');
    return target.read(address, std::as_writable_bytes(std::span(text))) ? text : "absent";
  };
  EXPECT_EQ(read(good, 0x5000, 4), "abcd");
  EXPECT_EQ(read(good, 0x5003, 1), "d");
  EXPECT_EQ(read(good, 0x5003, 2), "absent");
  EXPECT_EQ(read(good, 0x4fff, 1), "absent");
  EXPECT_EQ(read(good, 0x5004, 1), "absent");
  EXPECT_EQ(read(good, 0x6001, 3), "rst");
  EXPECT_EQ(read(good, 0x8000, 1), "absent");
  module other = good;
  other.build_id = "01abcdee";
  EXPECT_EQ(read(other, 0x5000, 4), "absent");
  other.build_id = "";
  EXPECT_EQ(read(other, 0x5000, 4), "absent");
  other = good;
  other.low = 0x5001;
  EXPECT_EQ(read(other, 0x5000, 4), "absent");
  EXPECT_EQ(read(other, 0x6000, 4), "qrst");
  other = good;
  other.high = 0x6003;
  EXPECT_EQ(read(other, 0x6000, 4), "absent");
  mapped_files target(mappings, {good});
  std::vector<resident_extent> pages;
  EXPECT_TRUE(target.residency({.low = 0, .high = 0x9000}, pages));
  EXPECT_TRUE(pages.empty());  // data only in a file was never written
}

}  // namespace
}  // namespace bast_stacks
