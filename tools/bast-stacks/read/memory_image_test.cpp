// SPDX-License-Identifier: Apache-2.0
//
// Memory images: the registry as a process sends it. Each number at its bound, and each length of
// the file.
#include "read/memory_image.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "model/test_record_text.hpp"

namespace bast_stacks {
namespace {

using test::error_text;

struct memory_image_bytes {
  std::vector<std::byte> all;

  explicit memory_image_bytes(std::uint32_t count, std::uint32_t version = memory_image_version,
                              std::uint64_t magic = memory_image_magic) {
    append(
        memory_image_header{.magic = magic, .version = version, .count = count, .anchor = 0x7777});
  }
  /// A part with the bytes of `text` and a stated length of `bytes`.
  memory_image_bytes& part(std::uint64_t address, std::string_view text, std::uint64_t bytes) {
    append(memory_image_part{.address = address, .bytes = bytes});
    const auto raw = std::as_bytes(std::span(text));
    all.insert(all.end(), raw.begin(), raw.end());
    return *this;
  }
  memory_image_bytes& part(std::uint64_t address, std::string_view text) {
    part(address, text, text.size());
    all.resize((all.size() + 7) / 8 * 8);
    return *this;
  }
  std::expected<memory_image, problem> open() const {
    return open_memory_image(std::make_shared<buffer_source>(all));
  }
  std::string error() const { return error_text(open()); }

 private:
  template <class T>
  void append(const T& value) {
    const auto raw = std::as_bytes(std::span(&value, 1));
    all.insert(all.end(), raw.begin(), raw.end());
  }
};

std::string damage(std::string_view what) {
  return fmt::format("3 what the process sent is damaged: {}", what);
}

std::string read_of(const memory_image& from, std::uint64_t address, std::size_t bytes) {
  std::string text(bytes, '?');
  return from.memory->read(address, std::as_writable_bytes(std::span(text))) ? text : "absent";
}

TEST(MemoryImage, EachPartIsWhereItSays) {
  memory_image_bytes bytes(5);
  bytes.part(0x1000, "").part(0x2000, "a").part(0x3000, "seven b").part(0x4000, "eight by");
  bytes.part(0x5000, "nine byte");
  const auto opened = bytes.open();
  ASSERT_TRUE(opened) << error_text(opened);
  EXPECT_EQ(opened->anchor, 0x7777U);
  EXPECT_EQ(read_of(*opened, 0x1000, 1), "absent");
  EXPECT_EQ(read_of(*opened, 0x2000, 1), "a");
  EXPECT_EQ(read_of(*opened, 0x2000, 2), "absent");
  EXPECT_EQ(read_of(*opened, 0x3000, 7), "seven b");
  EXPECT_EQ(read_of(*opened, 0x4000, 8), "eight by");
  EXPECT_EQ(read_of(*opened, 0x5000, 9), "nine byte");
  EXPECT_EQ(read_of(*opened, 0x5000, 10), "absent");
}

TEST(MemoryImage, SaysWhatIsDamaged) {
  EXPECT_EQ(memory_image_bytes(0).error(), "fine");
  for (std::size_t i = 0; i < 64; i += 8)
    EXPECT_EQ(memory_image_bytes(0, memory_image_version, memory_image_magic ^ 1ULL << i).error(),
              damage("it does not begin with BASTCAPS"));
  memory_image_bytes cut(0);
  cut.all.pop_back();
  EXPECT_EQ(cut.error(), damage("it does not begin with BASTCAPS"));
  for (const std::uint32_t version : {memory_image_version - 1, memory_image_version + 1})
    EXPECT_EQ(memory_image_bytes(0, version).error(),
              damage(fmt::format("it has version {}; this program reads version {}", version,
                                 memory_image_version)));
  constexpr std::uint32_t most = 4 << 20;
  EXPECT_EQ(memory_image_bytes(most).error(), damage("part 0 is not there"));
  EXPECT_EQ(memory_image_bytes(most + 1).error(), damage("it has 4194305 parts"));
}

TEST(MemoryImage, EachLengthOfAPartIsChecked) {
  EXPECT_EQ(memory_image_bytes(1).part(0x1000, "12345678").error(), "fine");
  EXPECT_EQ(memory_image_bytes(2).part(0x1000, "12345678").error(), damage("part 1 is not there"));
  memory_image_bytes half(2);
  half.part(0x1000, "12345678").part(0x2000, "");
  half.all.pop_back();
  EXPECT_EQ(half.error(), damage("part 1 is not there"));
  for (const std::uint64_t said : {std::uint64_t{9}, std::uint64_t{1} << 63, UINT64_MAX - 6})
    EXPECT_EQ(memory_image_bytes(1).part(0x1000, "12345678", said).error(),
              damage("part 0 reaches beyond the end"));
  // The padding of the last part may be missing, wholly or in part.
  for (std::size_t size = 9; size <= 17; ++size) {
    const std::string text(size, 'x');
    for (std::size_t padding = 0; padding <= (8 - size % 8) % 8; ++padding) {
      memory_image_bytes bytes(1);
      bytes.part(0x1000, text, size);
      bytes.all.resize(bytes.all.size() + padding);
      const auto opened = bytes.open();
      ASSERT_TRUE(opened);
      EXPECT_EQ(read_of(*opened, 0x1000, size), text);
    }
    EXPECT_EQ(memory_image_bytes(2).part(0x1000, text, size).error(),
              damage("part 1 is not there"));
  }
}

}  // namespace
}  // namespace bast_stacks
