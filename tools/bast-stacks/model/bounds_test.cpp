// SPDX-License-Identifier: Apache-2.0
//
// The bounds of the basic parts: ranges of characters, notes, files, descriptors, spellings of
// numbers, sums.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>

#include "model/clean_text.hpp"
#include "model/descriptor.hpp"
#include "model/elf_notes.hpp"
#include "model/regular_file.hpp"
#include "model/statistics.hpp"
#include "model/test_record_text.hpp"
#include "model/text.hpp"
#include "model/utf8.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using test::record_text;

constexpr std::uint64_t most_of_all = std::numeric_limits<std::uint64_t>::max();

std::string utf8_of(char32_t code) {
  std::string text;
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
  return text;
}

TEST(CleanText, EachCharacterOfUnicodeIsKeptOrReplaced) {
  std::string ranges;
  char32_t first = 0;
  bool replaced = false;
  for (char32_t code = 0; code <= 0x10'ffff; ++code) {
    const std::string text = utf8_of(code);
    const bool is = clean_text(text) != text;
    if (is && !replaced) first = code;
    if (!is && replaced)
      ranges +=
          fmt::format("{:x}-{:x} ", static_cast<unsigned>(first), static_cast<unsigned>(code - 1));
    replaced = is;
  }
  std::string expected =
      "0-1f 7f-9f ad-ad 34f-34f 61c-61c 115f-1160 17b4-17b5 180b-180f 200b-200f 2028-202e "
      "2060-206f 3164-3164 d800-dfff fdd0-fdef feff-feff ffa0-ffa0 fff0-fffb fffe-ffff "
      "1bca0-1bca3 1d173-1d17a ";
  for (unsigned plane = 1; plane < 16; ++plane)
    expected +=
        fmt::format("{:x}fffe-{}", plane, plane == 13 ? "e0fff " : fmt::format("{:x}ffff ", plane));
  EXPECT_EQ(ranges, expected);
  EXPECT_TRUE(replaced);  // the last two code points
}

TEST(Utf8, EachBoundOfEachLength) {
  const auto told = [](std::string_view text) {
    const character found = first_character(text);
    return fmt::format("{:x}/{}", static_cast<unsigned>(found.code), found.bytes);
  };
  for (const char32_t code :
       {0x0U, 0x7fU, 0x80U, 0x7ffU, 0x800U, 0xd7ffU, 0xe000U, 0xffffU, 0x1'0000U, 0x10'ffffU}) {
    const std::string text = utf8_of(code);
    EXPECT_EQ(told(text), fmt::format("{:x}/{}", static_cast<unsigned>(code), text.size()));
    EXPECT_EQ(told(text + "\x80"), told(text));
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      EXPECT_EQ(told(text.substr(0, cut)), "fffd/1");
      std::string broken = text;
      for (const char not_continued : {'\x7f', '\xc0', '\x00'}) {
        broken[cut] = not_continued;
        EXPECT_EQ(told(broken), "fffd/1");
      }
      broken = text;
    }
  }
  for (const char* const none :
       {"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xbf"})
    EXPECT_EQ(told(none), "fffd/1") << none;
}

std::string notes_of(std::span<const std::byte> bytes, std::uint64_t alignment,
                     std::size_t most = 99) {
  std::string text;
  for_each_note(bytes, alignment, [&](const elf_note& note) {
    text += fmt::format("{}/{}/{} ", note.owner, note.type, note.descriptor.size());
    if (!note.descriptor.empty())
      text.insert(text.size() - 1, 1, static_cast<char>(note.descriptor[0]));
    return --most != 0;
  });
  return text;
}

/// Notes with an owner of `owner` bytes and a descriptor of 'd's.
std::vector<std::byte> note_bytes(std::size_t unit,
                                  const std::vector<std::pair<std::string, std::size_t>>& notes) {
  std::vector<std::byte> all;
  const auto pad = [&] { all.resize((all.size() + unit - 1) / unit * unit); };
  std::uint32_t type = 3;
  for (const auto& [owner, bytes] : notes) {
    const Elf64_Nhdr header{.n_namesz = static_cast<Elf64_Word>(owner.size()),
                            .n_descsz = static_cast<Elf64_Word>(bytes),
                            .n_type = type++};
    const auto raw = std::as_bytes(std::span(&header, 1));
    all.insert(all.end(), raw.begin(), raw.end());
    const auto name = std::as_bytes(std::span(owner));
    all.insert(all.end(), name.begin(), name.end());
    pad();
    all.insert(all.end(), bytes, std::byte{'d'});
    pad();
  }
  return all;
}

TEST(ElfNotes, EachIsToldUntilOneIsCut) {
  using namespace std::string_literals;
  for (const std::size_t unit : {4U, 8U}) {
    const auto bytes = note_bytes(unit, {{"GNU\0"s, 1}, {"a"s, 0}, {"bast\0x"s, 9}});
    EXPECT_EQ(notes_of(bytes, unit), "GNU/3/1d a/4/0 bast/5/9d ") << unit;
    EXPECT_EQ(notes_of(bytes, unit, 1), "GNU/3/1d ");
    EXPECT_EQ(notes_of(bytes, unit, 2), "GNU/3/1d a/4/0 ");
    // The padding of the last note may be missing, its own bytes may not.
    const std::size_t padding = unit == 4 ? 3 : 7;
    EXPECT_EQ(notes_of(std::span(bytes).first(bytes.size() - padding), unit),
              "GNU/3/1d a/4/0 bast/5/9d ");
    EXPECT_EQ(notes_of(std::span(bytes).first(bytes.size() - padding - 1), unit),
              "GNU/3/1d a/4/0 ");
  }
  const auto four = note_bytes(4, {{"GNU\0"s, 1}, {"a"s, 0}});
  EXPECT_EQ(notes_of(four, 0), notes_of(four, 4));
  EXPECT_EQ(notes_of(four, 16), notes_of(four, 4));
  EXPECT_EQ(notes_of({}, 4), "");
  EXPECT_EQ(notes_of(std::span(four).first(11), 4), "");
  EXPECT_EQ(notes_of(note_bytes(4, {{"", 0}}), 4), "/3/0 ");
}

TEST(ElfNotes, ABuildIdIsThatOfGnu) {
  using namespace std::string_literals;
  const auto id = [](std::size_t bytes, const std::string& owner = "GNU\0"s) {
    return build_id_in(note_bytes(4, {{"x\0"s, 2}, {"GNU\0"s, 5}, {owner, bytes}}), 4);
  };
  std::string of_64;
  for (int i = 0; i < 64; ++i) of_64 += "64";
  // The types are 3, 4, 5; only type 3 is a build id.
  EXPECT_EQ(id(64), "");
  const auto first = [](std::size_t bytes, const std::string& owner = "GNU\0"s) {
    return build_id_in(note_bytes(4, {{owner, bytes}, {"GNU\0"s, 4}}), 4);
  };
  EXPECT_EQ(first(0), "");
  EXPECT_EQ(first(1), "64");
  EXPECT_EQ(first(64), of_64);
  EXPECT_EQ(first(65), "");
  EXPECT_EQ(first(3, "GNV\0"s), "");
  // Two notes in a row: the first valid one counts.
  auto two = note_bytes(4, {{"GNU\0"s, 65}});
  const auto good = note_bytes(4, {{"GNU\0"s, 2}});
  two.insert(two.end(), good.begin(), good.end());
  two.insert(two.end(), good.begin(), good.end());
  EXPECT_EQ(build_id_in(two, 4), "6464");
}

TEST(RegularFile, SaysWhatIsNone) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::path(::testing::TempDir()) / "bast-regular-file";
  fs::remove_all(directory);
  fs::create_directories(directory);
  const std::string file = directory / "file";
  const std::string pipe = directory / "pipe";
  std::ofstream(file) << "x";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto good = open_regular_file(file);
  ASSERT_TRUE(good);
  EXPECT_EQ(::fcntl(good->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(good->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(error_text(open_regular_file(pipe)), "3 " + pipe + " is not a file");
  EXPECT_EQ(error_text(open_regular_file("/dev/null")), "3 /dev/null is not a file");
  EXPECT_EQ(error_text(open_regular_file(directory)), "3 " + directory.string() + " is not a file");
  EXPECT_EQ(error_text(open_regular_file(file + "s")),
            "3 " + file + "s cannot be opened: No such file or directory");
  EXPECT_EQ(error_text(open_regular_file(file + "/x")),
            "3 " + file + "/x cannot be opened: Not a directory");
  fs::remove_all(directory);
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(Descriptor, ClosesWhatItHasAndNothingElse) {
  const auto fresh = [] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); };
  EXPECT_FALSE(descriptor());
  EXPECT_FALSE(descriptor(-1));
  const int zero = ::dup(0);
  const int kept = fresh();
  {
    descriptor one(kept);
    EXPECT_TRUE(one);
    EXPECT_EQ(one.get(), kept);
    descriptor two(std::move(one));
    EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move): tests the moved-from state
    EXPECT_EQ(two.get(), kept);
    const int replaced = fresh();
    descriptor three(replaced);
    three = std::move(two);
    EXPECT_FALSE(is_open(replaced));
    EXPECT_TRUE(is_open(kept));
    descriptor& same = three;
    three = std::move(same);
    EXPECT_EQ(three.get(), kept);
    EXPECT_TRUE(is_open(kept));
  }
  EXPECT_FALSE(is_open(kept));
  // 0 is a descriptor like any other.
  {
    const descriptor first(::dup2(zero, 0));
    EXPECT_TRUE(first);
  }
  EXPECT_FALSE(is_open(0));
  EXPECT_EQ(::dup2(zero, 0), 0);
  ::close(zero);
}

TEST(Text, EachUnitBeginsWhereTheLastEnds) {
  constexpr std::uint64_t kib = 1024;
  EXPECT_EQ(size_text(1), "1 B");
  EXPECT_EQ(size_text(1025), "1 KiB");
  EXPECT_EQ(size_text(1024 + 52), "1.1 KiB");
  EXPECT_EQ(size_text(1023 * kib + 972), "1023.9 KiB");
  EXPECT_EQ(size_text(1023 * kib + 973), "1 MiB");
  EXPECT_EQ(size_text(kib * kib), "1 MiB");
  EXPECT_EQ(size_text(kib * kib * kib), "1 GiB");
  EXPECT_EQ(size_text(kib * kib * kib * kib), "1 TiB");
  EXPECT_EQ(size_text(2048 * kib * kib * kib * kib), "2048 TiB");
  EXPECT_EQ(size_text(10 * kib), "10 KiB");  // keeps its zero
  EXPECT_EQ(size_number(0, false), "0.0");
  EXPECT_EQ(size_number(9318, false), "9.1");
  EXPECT_EQ(size_number((100 << 10) - 1, false), "100.0");
  EXPECT_EQ(size_number(100 << 10, false), "100");
  EXPECT_EQ(size_number(9318, true), "9318");
  EXPECT_EQ(percent_text(0.9644), "96.4 %");
  EXPECT_EQ(percent_text(-0.5), "-50.0 %");
}

TEST(Text, CountsTimesAndBytesAtEachBound) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(999'999), "999,999");
  EXPECT_EQ(count_text(1'000'000), "1,000,000");
  EXPECT_EQ(count_text(most_of_all), "18,446,744,073,709,551,615");
  EXPECT_EQ(counted(0, "site"), "0 sites");
  EXPECT_EQ(counted(2, "site"), "2 sites");
  EXPECT_EQ(counted(1001, "site"), "1,001 sites");
  EXPECT_EQ(exact_bytes_text(0), "0 bytes");
  EXPECT_EQ(exact_bytes_text(1023), "1,023 bytes");
  EXPECT_EQ(exact_bytes_text(1024), "1,024 bytes (1 KiB)");
  constexpr std::uint64_t second = 1'000'000'000;
  EXPECT_EQ(duration_text(0), "0 us");
  EXPECT_EQ(duration_text(1'999), "1 us");
  EXPECT_EQ(duration_text(999'999), "999 us");
  EXPECT_EQ(duration_text(1'000'000), "1.0 ms");
  EXPECT_EQ(duration_text(second - 1), "1000.0 ms");
  EXPECT_EQ(duration_text(second), "1 s");
  EXPECT_EQ(duration_text(120 * second - 1), "119 s");
  EXPECT_EQ(duration_text(120 * second), "2 min");
  EXPECT_EQ(duration_text(7200 * second - 1), "119 min");
  EXPECT_EQ(duration_text(7260 * second), "2 h 1 min");
  EXPECT_EQ(duration_text(48 * 3600 * second - 1), "47 h 59 min");
  EXPECT_EQ(duration_text(49 * 3600 * second), "2 d 1 h");
}

}  // namespace
}  // namespace bast_stacks
