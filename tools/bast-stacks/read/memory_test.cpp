// SPDX-License-Identifier: Apache-2.0
#include "read/memory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "read/layered_memory.hpp"
#include "read/process_memory.hpp"

namespace bast_stacks {
namespace {

std::shared_ptr<const source> letters() {
  static constexpr std::string_view all = "abcdefghijklmnopqrstuvwxyz";
  return std::make_shared<buffer_source>(std::as_bytes(std::span(all)));
}

std::string read(memory& from, std::uint64_t address, std::size_t bytes) {
  std::string text(bytes, '?');
  return from.read(address, std::as_writable_bytes(std::span(text))) ? text : "absent";
}

TEST(FileMemory, ReadsAcrossPartsThatTouch) {
  file_memory target(letters(), {{.address = 104, .bytes = 4, .offset = 10},
                                 {.address = 100, .bytes = 4, .offset = 0},
                                 {.address = 200, .bytes = 1, .offset = 25}});
  EXPECT_EQ(read(target, 100, 8), "abcdklmn");
  EXPECT_EQ(read(target, 103, 2), "dk");
  EXPECT_EQ(read(target, 200, 1), "z");
  EXPECT_EQ(read(target, 99, 2), "absent");
  EXPECT_EQ(read(target, 107, 2), "absent");
}

TEST(FileMemory, OfPartsThatOverlapTheLowerOneWins) {
  file_memory target(letters(), {{.address = 100, .bytes = 10, .offset = 0},
                                 {.address = 102, .bytes = 2, .offset = 20},
                                 {.address = 105, .bytes = 10, .offset = 10}});
  EXPECT_EQ(read(target, 100, 15), "abcdefghijpqrst");
}

TEST(FileMemory, WhatTheSourceDoesNotHaveIsAbsent) {
  file_memory target(letters(), {{.address = 100, .bytes = 100, .offset = 20},
                                 {.address = UINT64_MAX - 3, .bytes = 100, .offset = 0},
                                 {.address = 0, .bytes = 10, .offset = UINT64_MAX - 2}});
  EXPECT_EQ(read(target, 100, 6), "uvwxyz");
  EXPECT_EQ(read(target, 100, 7), "absent");
  EXPECT_EQ(read(target, UINT64_MAX - 3, 3), "abc");
  EXPECT_EQ(read(target, 0, 1), "absent");
}

TEST(FileMemory, TellsWhichPartsAreThere) {
  file_memory target(letters(), {{.address = 100, .bytes = 4, .offset = 0},
                                 {.address = 110, .bytes = 100, .offset = 10}});
  std::vector<resident_extent> found;
  ASSERT_TRUE(target.residency({.low = 102, .high = 120}, found));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].where.low, 102U);
  EXPECT_EQ(found[0].where.high, 104U);
  EXPECT_EQ(found[1].where.low, 110U);
  EXPECT_EQ(found[1].where.high, 120U);
}

TEST(LayeredMemory, AsksTheBackForWhatTheFrontDoesNotHave) {
  const auto part = [](std::uint64_t address, std::uint64_t offset) {
    return std::make_unique<file_memory>(
        letters(), std::vector<file_part>{{.address = address, .bytes = 4, .offset = offset}});
  };
  layered_memory target(part(100, 0), part(102, 10), layered_memory::layer::front);
  EXPECT_EQ(read(target, 100, 4), "abcd");
  EXPECT_EQ(read(target, 102, 4), "klmn");
  EXPECT_EQ(read(target, 106, 1), "absent");
  layered_memory alone(part(100, 0), nullptr, layered_memory::layer::back);
  EXPECT_EQ(read(alone, 100, 4), "abcd");
  EXPECT_EQ(read(alone, 102, 4), "absent");
  std::vector<resident_extent> found;
  EXPECT_FALSE(alone.residency({.low = 0, .high = 1000}, found));
}

TEST(ProcessMemory, WhatIsNotThereDoesNotHideTheRest) {
  const std::string text = "here";
  const auto address = reinterpret_cast<std::uint64_t>(text.data());
  std::array<char, 4> first{};
  std::array<char, 4> second{};
  std::array<char, 4> third{};
  const auto bytes = [](std::array<char, 4>& each) {
    return std::as_writable_bytes(std::span(each));
  };
  std::array<piece, 4> pieces{piece{.address = address, .into = bytes(first)},
                              piece{.address = 16, .into = bytes(second)},
                              piece{.address = UINT64_MAX - 1, .into = bytes(second)},
                              piece{.address = address, .into = bytes(third)}};
  process_memory own(::getpid());
  own.read(pieces);
  EXPECT_TRUE(pieces[0].present);
  EXPECT_FALSE(pieces[1].present);
  EXPECT_FALSE(pieces[2].present);
  EXPECT_TRUE(pieces[3].present);
  EXPECT_EQ(std::string(third.data(), 4), "here");
  EXPECT_FALSE(own.broken());
}

TEST(ProcessMemory, AProcessThatEndedIsSaidToHaveEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  process_memory gone(child);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(read(gone, 4096, 1), "absent");
  ASSERT_TRUE(gone.broken());
  EXPECT_EQ(gone.broken()->what, "process " + std::to_string(child) + " ended while it was read");
}

}  // namespace
}  // namespace bast_stacks
