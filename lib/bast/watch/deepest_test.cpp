// SPDX-License-Identifier: Apache-2.0
//
// The record of a site's deepest stack, word by word, on invented stacks.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "bast/os.hpp"
#include "bast/testing/fresh_process.hpp"
#include "bast/watch/site.hpp"

namespace bast::watch {
namespace {

/// A stack of `words` words above `free` unused ones.
struct made_up_stack {
  std::vector<std::uintptr_t> words;
  explicit made_up_stack(std::size_t count) : words(count, 0) {}

  std::uintptr_t low() const { return reinterpret_cast<std::uintptr_t>(words.data()); }
  std::uintptr_t top() const { return low() + 8 * words.size(); }
  /// The growth that a fault at its low end reports.
  growth grown() const {
    return {
        .touched = low(), .pc = 0x1111, .sp = low(), .fp = 0x2222, .readable = low(), .top = top()};
  }
};

/// The segments of the process that contain code, or those that do not.
std::vector<std::pair<std::uintptr_t, std::uintptr_t>> segments(bool of_code) {
  struct found {
    bool of_code;
    std::vector<std::pair<std::uintptr_t, std::uintptr_t>> all;
  } into{of_code, {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* to) {
        auto& seen = *static_cast<found*>(to);
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || ((segment.p_flags & PF_X) != 0) != seen.of_code)
            continue;
          const std::uintptr_t low = object->dlpi_addr + segment.p_vaddr;
          seen.all.emplace_back(low, low + segment.p_memsz);
        }
        return 0;
      },
      &into);
  return into.all;
}

/// A word that points into code.
std::uintptr_t code_word() {
  const auto [low, high] = segments(true).front();
  return low + (high - low) / 2;
}

class DeepestStack : public ::testing::Test {
 protected:
  void SetUp() override { refresh_code_ranges(); }
  site_entry entry{};
  deepest_stack& seen = entry.deepest;
};

TEST_F(DeepestStack, R4_TheWholeRecordIsOfTheGrowth) {
  made_up_stack stack(16);
  stack.words[4] = code_word();
  stack.words[9] = code_word() + 8;
  growth at = stack.grown();
  at.sp = at.touched + 16;  // touched below its stack pointer
  const auto before = static_cast<std::uint64_t>(os::monotonic_ns());
  note_growth(entry, at);
  EXPECT_GE(seen.at_ns, before);
  EXPECT_LE(seen.at_ns, static_cast<std::uint64_t>(os::monotonic_ns()));
  deepest_stack expected{};
  expected.sequence = 2;
  expected.count = 2;
  expected.first = 2;
  expected.depth = 128;
  expected.at_ns = seen.at_ns;
  expected.pc = 0x1111;
  expected.sp_depth = 112;
  expected.fp = 0x2222;
  expected.top = stack.top();
  expected.return_pc[0] = code_word();
  expected.return_pc[1] = code_word() + 8;
  expected.return_at[0] = 96;
  expected.return_at[1] = 56;
  EXPECT_EQ(std::memcmp(&seen, &expected, sizeof seen), 0);
  EXPECT_EQ(entry.sequence, 0U) << "the numbers are not written";
}

TEST_F(DeepestStack, R4_OnlyADeeperGrowthReplacesIt) {
  made_up_stack stack(16);
  stack.words[12] = code_word();
  note_growth(entry, stack.grown());
  const deepest_stack first = seen;
  growth at = stack.grown();
  at.pc = 0x3333;
  note_growth(entry, at);
  EXPECT_EQ(std::memcmp(&seen, &first, sizeof seen), 0) << "as deep is not deeper";
  at.touched += 8;
  at.sp += 8;
  note_growth(entry, at);
  EXPECT_EQ(std::memcmp(&seen, &first, sizeof seen), 0);
  made_up_stack deeper(17);
  at = deeper.grown();
  at.pc = 0x4444;
  note_growth(entry, at);
  EXPECT_EQ(seen.sequence, 4U);
  EXPECT_EQ(seen.depth, 17U * 8);
  EXPECT_EQ(seen.pc, 0x4444U);
  EXPECT_EQ(seen.count, 0U) << "no word of the previous stack is counted";
  EXPECT_EQ(seen.first, 0U);
}

TEST_F(DeepestStack, TheDepthReachesToTheLowerOfStackPointerAndAddress) {
  made_up_stack stack(16);
  growth at = stack.grown();
  at.touched = at.sp + 24;
  note_growth(entry, at);
  EXPECT_EQ(seen.depth, 128U);
  EXPECT_EQ(seen.sp_depth, 128U);
  entry = {};
  at = stack.grown();
  at.sp = at.touched + 24;
  note_growth(entry, at);
  EXPECT_EQ(seen.depth, 128U);
  EXPECT_EQ(seen.sp_depth, 104U);
}

TEST_F(DeepestStack, WordsAreReadFromTheStackPointerUpAndOnlyWhereReadable) {
  made_up_stack stack(8);
  std::fill(stack.words.begin(), stack.words.end(), code_word());
  growth at = stack.grown();
  at.sp = stack.low() + 16;
  note_growth(entry, at);
  EXPECT_EQ(seen.count, 6U) << "words below the stack pointer belong to no caller";
  EXPECT_EQ(seen.return_at[0], 48U);
  EXPECT_EQ(seen.return_at[5], 8U);
  entry = {};
  at = stack.grown();
  at.readable = stack.low() + 24;
  note_growth(entry, at);
  EXPECT_EQ(seen.count, 5U) << "memory below is not open";
  for (const std::uintptr_t off : {1U, 7U}) {
    entry = {};
    at = stack.grown();
    at.sp = stack.low() + 32 + off;
    note_growth(entry, at);
    EXPECT_EQ(seen.count, 3U) << "the next aligned word is the first";
    EXPECT_EQ(seen.return_at[0], 24U);
  }
}

TEST_F(DeepestStack, ItsWordsAreThoseThatPointBehindSomeCode) {
  std::vector<std::uintptr_t> inside;
  for (const auto& [low, high] : segments(true)) {
    inside.push_back(low + 1);
    inside.push_back(low + (high - low) / 2);
    inside.push_back(high);  // a call that never returns may be the last instruction
  }
  ASSERT_GE(inside.size(), 6U) << "of the program and of a library";
  made_up_stack stack(2 * inside.size());
  for (std::size_t i = 0; i < inside.size(); ++i) stack.words[2 * i] = inside[i];
  ASSERT_LE(inside.size(), return_count);
  note_growth(entry, stack.grown());
  ASSERT_EQ(seen.count, inside.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    EXPECT_EQ(seen.return_pc[i], inside[i]);
    EXPECT_EQ(seen.return_at[i], 8 * (stack.words.size() - 2 * i));
  }
}

TEST_F(DeepestStack, OtherWordsAreLeftOut) {
  const auto code = segments(true);
  const auto is_code = [&](std::uintptr_t word) {
    return std::any_of(code.begin(), code.end(), [&](const auto& segment) {
      return word > segment.first && word <= segment.second;
    });
  };
  std::vector<std::uintptr_t> outside = {1, 4096, ~std::uintptr_t{0}};
  for (const auto& [low, high] : code) {
    outside.push_back(low);
    outside.push_back(high + 1);
  }
  for (const auto& [low, high] : segments(false)) outside.push_back(low + (high - low) / 2);
  std::erase_if(outside, is_code);
  ASSERT_GE(outside.size(), 6U);
  made_up_stack stack(outside.size());
  stack.words = outside;
  note_growth(entry, stack.grown());
  EXPECT_EQ(seen.count, 0U);
  EXPECT_EQ(seen.depth, 8 * outside.size());
}

TEST_F(DeepestStack, WhenTheWordsAreTooManyThoseAtBothEndsAreKept) {
  constexpr std::uint32_t outer = 24;
  constexpr std::uint32_t inner = return_count - outer;
  for (const std::uint32_t words : {return_count - 1, return_count, return_count + 1, 300U}) {
    SCOPED_TRACE(words);
    entry = {};
    made_up_stack stack(words);
    for (std::uint32_t i = 0; i < words; ++i) stack.words[i] = code_word() + i;
    note_growth(entry, stack.grown());
    const std::uint32_t kept = std::min(words, return_count);
    EXPECT_EQ(seen.count, kept);
    EXPECT_EQ(seen.omitted, words - kept);
    EXPECT_EQ(seen.first, words > return_count ? inner : words);
    for (std::uint32_t i = 0; i < kept; ++i) {
      const std::uint32_t word = i < seen.first ? i : words - (kept - i);
      EXPECT_EQ(seen.return_pc[i], code_word() + word) << i;
      EXPECT_EQ(seen.return_at[i], 8 * (words - word)) << i;
    }
  }
}

TEST(DeepestStackAfresh, BeforeItIsKnownWhereCodeIsNoWordIsKept) {
  test::expect_in_fresh_process([] {
    site_entry entry{};
    made_up_stack stack(4);
    stack.words[1] = code_word();
    note_growth(entry, stack.grown());
    if (entry.deepest.depth != 32 || entry.deepest.count != 0) return 1;
    refresh_code_ranges();
    entry = {};
    note_growth(entry, stack.grown());
    return entry.deepest.count == 1 ? 0 : 2;
  });
}

TEST(DeepestStackAfresh, AGrowthSaysNothingByItself) {
  constexpr growth nothing{};
  EXPECT_EQ(nothing.touched + nothing.pc + nothing.sp + nothing.fp, 0U);
  EXPECT_EQ(nothing.readable + nothing.top, 0U);
}

TEST_F(DeepestStack, CodeThatIsUnloadedIsNoneAfterTheNextLook) {
  const auto before = segments(true);
  const auto middle = [](const auto& segment) {
    return segment.first + (segment.second - segment.first) / 2;
  };
  // A small library of the C library that this program does not need.
  void* library = nullptr;
  for (const char* const name : {"libanl.so.1", "libutil.so.1", "libresolv.so.2"}) {
    library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) continue;
    if (segments(true).size() == before.size() + 1) break;
    ::dlclose(std::exchange(library, nullptr));
  }
  if (library == nullptr) GTEST_SKIP() << "no such library can be loaded";
  const std::uintptr_t inside = middle(segments(true).back());
  made_up_stack stack(4);
  stack.words[1] = middle(before.back());
  stack.words[2] = inside;
  refresh_code_ranges();
  note_growth(entry, stack.grown());
  EXPECT_EQ(seen.count, 2U);
  ::dlclose(library);
  if (segments(true) != before) GTEST_SKIP() << "loaded libraries stay";
  refresh_code_ranges();
  entry = {};
  note_growth(entry, stack.grown());
  ASSERT_EQ(seen.count, 1U);
  EXPECT_EQ(seen.return_pc[0], stack.words[1]);
}

TEST_F(DeepestStack, LookingForCodeAgainFindsTheSame) {
  refresh_code_ranges();
  made_up_stack stack(4);
  stack.words[1] = code_word();
  note_growth(entry, stack.grown());
  EXPECT_EQ(seen.count, 1U);
}

}  // namespace
}  // namespace bast::watch
