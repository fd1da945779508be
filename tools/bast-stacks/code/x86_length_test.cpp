// SPDX-License-Identifier: Apache-2.0
//
// Lengths of instructions that capstone does not know: every deciding byte, in every value, and
// every truncated length.
#include "code/x86_length.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bast_stacks {
namespace {

using byte_list = std::vector<std::uint8_t>;

/// The lengths of `code` with each value of the byte at `at`: "00-6f 4, 70 5", 0 left out.
std::string lengths(byte_list code, std::size_t at) {
  std::string text;
  std::size_t last = 0;
  unsigned from = 0;
  for (unsigned value = 0; value <= 0x100; ++value) {
    std::size_t length = 0;
    if (value < 0x100) {
      code[at] = static_cast<std::uint8_t>(value);
      length = unknown_x86_length(code);
    }
    if (value != 0 && value < 0x100 && length == last) continue;
    if (last != 0) {
      text += text.empty() ? "" : ", ";
      text += from + 1 == value ? fmt::format("{:02x} {}", from, last)
                                : fmt::format("{:02x}-{:02x} {}", from, value - 1, last);
    }
    from = value;
    last = length;
  }
  return text;
}

/// Followed by bytes as they may occur.
byte_list followed(byte_list code) {
  code.resize(16, 0x90);
  return code;
}

/// The length with exactly its bytes, which no shorter sequence may have.
std::size_t whole(const byte_list& code) {
  const auto all = followed(code);
  const auto length = unknown_x86_length(all);
  for (std::size_t bytes = 0; bytes <= all.size(); ++bytes) {
    // In its own allocation, so that a sanitizer detects a read beyond it.
    const byte_list part(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_EQ(unknown_x86_length(part), bytes >= length ? length : 0) << bytes;
  }
  return length;
}

TEST(X86Length, IsOfTheFirstByte) {
  EXPECT_EQ(lengths(followed({0, 0x01, 0xee, 0xc0, 0xc0, 0xc0}), 0), "0f 3, 62 6, c4 5, c5 4");
  EXPECT_EQ(lengths(followed({0, 0x0f, 0x1e, 0xc8}), 0), "62 10, c4 9, c5 4, f3 4");
}

TEST(X86Length, VectorsHaveAConstantInSomeMaps) {
  const char with_some[] = "00-6f 6, 70-73 7, 74-c1 6, c2 7, c3 6, c4-c6 7, c7-ff 6";
  EXPECT_EQ(lengths(followed({0x62, 0xf0, 0x7d, 0x48, 0, 0xc0}), 4), "00-ff 6");
  EXPECT_EQ(lengths(followed({0x62, 0xf1, 0x7d, 0x48, 0, 0xc0}), 4), with_some);
  EXPECT_EQ(lengths(followed({0x62, 0xf2, 0x7d, 0x48, 0, 0xc0}), 4), "00-ff 6");
  EXPECT_EQ(lengths(followed({0x62, 0xf3, 0x7d, 0x48, 0, 0xc0}), 4), "00-ff 7");
  EXPECT_EQ(lengths(followed({0xc4, 0xe1, 0x7d, 0, 0xc0}), 3),
            "00-6f 5, 70-73 6, 74-c1 5, c2 6, c3 5, c4-c6 6, c7-ff 5");
  EXPECT_EQ(lengths(followed({0xc4, 0xe2, 0x7d, 0, 0xc0}), 3), "00-ff 5");
  EXPECT_EQ(lengths(followed({0xc4, 0xe3, 0x7d, 0, 0xc0}), 3), "00-ff 6");
  EXPECT_EQ(lengths(followed({0xc5, 0xf9, 0, 0xc0}), 2),
            "00-6f 4, 70-73 5, 74-c1 4, c2 5, c3 4, c4-c6 5, c7-ff 4");
}

TEST(X86Length, TheMapHasThreeBitsOrFive) {
  EXPECT_EQ(lengths(followed({0x62, 0, 0x7d, 0x48, 0x70, 0xc0}), 1).substr(0, 46),
            "00 6, 01 7, 02 6, 03 7, 04-08 6, 09 7, 0a 6, 0");
  EXPECT_EQ(lengths(followed({0xc4, 0, 0x7d, 0x70, 0xc0}), 1).substr(0, 46),
            "00 5, 01 6, 02 5, 03 6, 04-20 5, 21 6, 22 5, 2");
}

TEST(X86Length, OperandsHaveTheirBytes) {
  // Mode 0: 5 is relative to rip, 4 has a SIB byte; 1: eight bits; 2: 32; 3: a register.
  std::string expected;
  for (const auto& [mode, plain, sib, rip] :
       {std::tuple{0U, 4, 5, 8}, {1U, 5, 6, 5}, {2U, 8, 9, 8}}) {
    for (unsigned number = 0; number < 8; ++number) {
      const auto first = mode * 64 + number * 8;
      expected +=
          fmt::format("{:02x}-{:02x} {}, {:02x} {}, ", first, first + 3, plain, first + 4, sib);
      expected +=
          fmt::format("{:02x} {}, {:02x}-{:02x} {}, ", first + 5, rip, first + 6, first + 7, plain);
    }
  }
  std::string found;
  for (unsigned modrm = 0; modrm < 0xc0; ++modrm) {
    const auto length = whole({0xc5, 0xf9, 0x58, static_cast<std::uint8_t>(modrm), 0x00});
    const auto low = modrm & 7U;
    if (low == 0 || low == 6) found += fmt::format("{:02x}-", modrm);
    if (low == 3 || low == 4 || low == 5 || low == 7)
      found += fmt::format("{:02x} {}, ", modrm, length);
  }
  EXPECT_EQ(found, expected);
  EXPECT_TRUE(lengths(followed({0xc5, 0xf9, 0x58, 0, 0x00}), 3).ends_with(", bd-bf 8, c0-ff 4"));
  // A SIB byte without a base has 32 bits where the mode has none.
  EXPECT_EQ(lengths(followed({0xc5, 0xf9, 0x58, 0x04, 0}), 4).substr(0, 38),
            "00-04 5, 05 9, 06-0c 5, 0d 9, 0e-14 5,");
  EXPECT_EQ(lengths(followed({0xc5, 0xf9, 0x58, 0x44, 0}), 4), "00-ff 6");
  EXPECT_EQ(lengths(followed({0xc5, 0xf9, 0x58, 0x84, 0}), 4), "00-ff 9");
}

TEST(X86Length, WhatIsCutShortIsNone) {
  EXPECT_EQ(whole({0x62, 0xf3, 0x7d, 0x48, 0x3f, 0x84, 0x05}), 12U);
  EXPECT_EQ(whole({0x62, 0xf1, 0x7d, 0x48, 0x58, 0x44, 0x05}), 8U);
  EXPECT_EQ(whole({0xc4, 0xe3, 0x7d, 0x19, 0x05}), 10U);
  EXPECT_EQ(whole({0xc4, 0xe2, 0x7d, 0x19, 0xc1}), 5U);
  EXPECT_EQ(whole({0xc5, 0xf9, 0x70, 0xc1, 0x01}), 5U);
  EXPECT_EQ(whole({0xc5, 0xf9, 0x58, 0xc1}), 4U);
  EXPECT_EQ(whole({0x0f, 0x01, 0xee}), 3U);
  EXPECT_EQ(whole({0xf3, 0x48, 0x0f, 0x1e, 0xc8}), 5U);
  EXPECT_EQ(whole({0xf3, 0x0f, 0x1e, 0xc8}), 4U);
}

TEST(X86Length, ProtectionKeysAndShadowStacks) {
  EXPECT_EQ(lengths(followed({0x0f, 0x01, 0}), 2), "ee-ef 3");
  EXPECT_EQ(lengths(followed({0x0f, 0, 0xee}), 1), "01 3");
  EXPECT_EQ(lengths(followed({0xf3, 0, 0x0f, 0x1e, 0xc8}), 1), "40-4f 5");
  EXPECT_EQ(lengths(followed({0xf3, 0, 0x1e, 0xc8}), 1), "0f 4");
  EXPECT_EQ(lengths(followed({0xf3, 0x0f, 0, 0xc8}), 2), "1e 4, ae 4");
  EXPECT_EQ(lengths(followed({0xf3, 0x48, 0x0f, 0, 0xc8}), 3), "1e 5, ae 5");
  EXPECT_EQ(lengths(followed({0xf3, 0x0f, 0x1e, 0}), 3), "c0-ff 4");
  EXPECT_EQ(lengths(followed({0xf3, 0x48, 0x0f, 0xae, 0}), 4), "c0-ff 5");
  EXPECT_EQ(lengths(followed({0xf3, 0x48, 0, 0x1e, 0xc8}), 2), "0f 5");
}

}  // namespace
}  // namespace bast_stacks
