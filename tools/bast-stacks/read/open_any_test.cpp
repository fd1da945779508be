// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "model/recording.hpp"
#include "read/open.hpp"
#include "read/testing/fake_registry.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;

/// A file that lives as long as this.
class file {
 public:
  explicit file(std::string_view text)
      : path_(::testing::TempDir() + "bast-any-" + std::to_string(::getpid())) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

problem problem_of(std::string_view text) {
  const file made(text);
  const auto seen = open_any(made.path(), {});
  return seen ? problem{} : seen.error();
}

TEST(OpenAny, ANumberIsAProcess) {
  testing::fake_registry fake;
  const auto own = open_any(std::to_string(::getpid()), {});
  ASSERT_TRUE(own) << own.error().what;
  EXPECT_EQ(own->from, source_kind::live);
  EXPECT_EQ(open_any("99999999999999", {}).error().what, "there is no process 99999999999999");
}

TEST(OpenAny, ARecordingIsRead) {
  testing::fake_registry fake;
  fake.use(0, 1, 777);
  const auto own = open_any(std::to_string(::getpid()), {});
  ASSERT_TRUE(own);
  const file made(to_json(*own));
  const auto again = open_any(made.path(), {});
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->from, source_kind::recording);
  EXPECT_EQ(again->sites.size(), own->sites.size());
  EXPECT_EQ(again->stacks.at(0).depth, 777U);
}

TEST(OpenAny, SaysWhatAFileIsNot) {
  EXPECT_THAT(problem_of("hello").what, HasSubstr("is neither a core file nor a recording"));
  EXPECT_THAT(problem_of("").what, HasSubstr("is neither a core file nor a recording"));
  EXPECT_THAT(problem_of("\x7f"
                         "ELF")
                  .what,
              HasSubstr("as a core: it is not an ELF file"));
  EXPECT_THAT(problem_of("\x28\xb5\x2f\xfd...").what, HasSubstr("is compressed"));
  EXPECT_THAT(problem_of("\x28\xb5\x2f\xfd...").remedy, HasSubstr("zstd --decompress"));
  const auto unpacked_by = [](std::string_view start) {
    const std::string remedy = problem_of(std::string(start) + "and more").remedy;
    return remedy.substr(0, remedy.find(" /"));
  };
  const std::pair<std::string, std::string> formats[] = {
      {"\x28\xb5\x2f\xfd", "zstd --decompress --keep"},
      {"\xfd"
       "7zX",
       "xz --decompress --keep"},
      {"\x04\x22\x4d\x18", "lz4 --decompress --keep"},
      {"\x1f\x8b", "gzip --decompress --keep"}};
  for (const auto& [magic, unpack] : formats) {
    EXPECT_EQ(unpacked_by(magic), unpack);
    for (std::size_t i = 0; i < magic.size(); ++i) {
      std::string other = magic;
      ++other[i];
      EXPECT_EQ(unpacked_by(other), "") << unpack << i;
    }
  }
  EXPECT_THAT(open_any("/nowhere", {}).error().what,
              HasSubstr("/nowhere cannot be opened: No such"));
  EXPECT_THAT(open_any("/tmp", {}).error().what, HasSubstr("/tmp is not a file"));
  EXPECT_EQ(open_any("", {}).error().status, 3);
}

}  // namespace
}  // namespace bast_stacks
