// SPDX-License-Identifier: Apache-2.0
//
// The notes of a core: how short, truncated and contradictory ones are read.
#include <elf.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>

#include "read/testing/core_text.hpp"
#include "read/testing/core_writer.hpp"

namespace bast_stacks {
namespace {

using testing::core_text;
using testing::core_writer;

std::string one_note(std::uint32_t type, std::size_t bytes,
                     const std::function<void(std::byte*)>& fill) {
  std::vector<std::byte> descriptor(bytes);
  fill(descriptor.data());
  core_writer core;
  core.add_note(type, descriptor);
  return core_text(core.finish());
}

TEST(CoreNotes, ANoteThatIsTooShortTellsWhatItHas) {
  const auto put = [](std::size_t at, auto value) {
    return [=](std::byte* bytes) { std::memcpy(bytes + at, &value, sizeof value); };
  };
  const std::string rest = " headers=0x0 truncated=false";
  EXPECT_EQ(one_note(NT_PRPSINFO, 28, put(24, 5U)), "pid=5 name= fault=0x0" + rest);
  EXPECT_EQ(one_note(NT_PRPSINFO, 55, put(40, 'x')), "pid=0 name= fault=0x0" + rest);
  EXPECT_EQ(one_note(NT_PRPSINFO, 56, put(40, 'x')), "pid=0 name=x fault=0x0" + rest);
  for (const int signal : {SIGSEGV, SIGBUS}) {
    EXPECT_EQ(one_note(NT_SIGINFO, 24,
                       [&](std::byte* bytes) {
                         put(0, signal)(bytes);
                         put(16, std::uint64_t{0x77})(bytes);
                       }),
              "pid=0 name= fault=0x77" + rest);
  }
  EXPECT_EQ(one_note(NT_SIGINFO, 24, put(16, std::uint64_t{0x77})), "pid=0 name= fault=0x0" + rest);
  EXPECT_EQ(one_note(NT_PRSTATUS, 36, put(32, 9U)),
            "pid=0 name= fault=0x0" + rest + "\nthread 9 sp=0x0 pc=0x0 fp=0x0");
  EXPECT_EQ(one_note(NT_AUXV, 15, put(0, std::uint64_t{AT_PHDR})), "pid=0 name= fault=0x0" + rest);
}

TEST(CoreNotes, ASignalOfAnotherThreadIsNotThatOfTheOneThatDied) {
  core_writer core;
  core.add_signal(SIGABRT, 0x1);
  core.add_signal(SIGSEGV, 0x2);
  EXPECT_EQ(core_text(core.finish()), "pid=0 name= fault=0x0 headers=0x0 truncated=false");
}

TEST(CoreNotes, AListOfFilesIsBelievedAsFarAsItGoes) {
  using words = std::vector<std::uint64_t>;
  const auto files = [](const words& numbers, std::string_view names) {
    std::vector<std::byte> bytes(numbers.size() * 8 + names.size());
    std::memcpy(bytes.data(), numbers.data(), numbers.size() * 8);
    std::memcpy(bytes.data() + numbers.size() * 8, names.data(), names.size());
    core_writer core;
    core.add_note(NT_FILE, bytes);
    return core_text(core.finish());
  };
  using namespace std::string_view_literals;
  const std::string good = "pid=0 name= fault=0x0 headers=0x0 truncated=false";
  const std::string cut = "pid=0 name= fault=0x0 headers=0x0 truncated=true";
  EXPECT_EQ(files({0, 4096}, ""), good);
  EXPECT_EQ(files({1, 4096, 8, 9, 3}, "/a\0"sv), good + "\n0x8-0x9 0x3000 /a");
  EXPECT_EQ(files({1, 4096, 8, 9, 3}, "/a"sv), good + "\n0x8-0x9 0x3000 /a");
  EXPECT_EQ(files({1, 4096, 8, 9, 3}, ""), good);
  EXPECT_EQ(files({1, 4096, 8, 8, 3}, "/a\0"sv), good);
  EXPECT_EQ(files({1, 4096, 8, 9, 3}, "a\0"sv), good);
  EXPECT_EQ(files({1, 4096, 8, 9}, "1234567"), cut);
  EXPECT_EQ(files({2, 4096, 8, 9, 3, 10, 11}, "1234567"), cut);
  EXPECT_EQ(files({UINT64_MAX / 24, 4096, 8, 9, 3}, ""), cut);
  // An offset that does not fit is not a file's start.
  EXPECT_EQ(files({1, 1ULL << 32, 8, 9, 1ULL << 32}, "/a\0"sv), good + "\n0x8-0x9 0x1 /a");
  EXPECT_EQ(files({2, 4096, 8, 9, 0, 10, 11, 1}, "/a\0/b\0"sv),
            good + "\n0x8-0x9 0x0 /a\n0xa-0xb 0x1000 /b");
}

}  // namespace
}  // namespace bast_stacks
