// SPDX-License-Identifier: Apache-2.0
#include "read/modules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;

TEST(ParseMaps, KeepsMappingsOfFiles) {
  const auto found = parse_maps(
      "55d0c0000000-55d0c0001000 r--p 00000000 fe:00 12345        /usr/bin/a program\n"
      "55d0c0001000-55d0c0002000 r-xp 00001000 fe:00 12345        /usr/bin/a program\n"
      "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
      "7f0000001000-7f0000002000 r--p 00000000 00:01 5            /memfd:x (deleted)\n"
      "7ffd00000000-7ffd00001000 rw-p 00000000 00:00 0            [stack]\n");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].path, "/usr/bin/a program");
  EXPECT_EQ(found[0].where.low, 0x55d0c0000000U);
  EXPECT_EQ(found[1].where.high, 0x55d0c0002000U);
  EXPECT_EQ(found[1].offset, 0x1000U);
  EXPECT_FALSE(found[0].is_code);
  EXPECT_TRUE(found[1].is_code);
  EXPECT_EQ(found[2].path, "/memfd:x");
}

TEST(ParseMaps, LeavesOutLinesThatItCannotHave) {
  for (const char* const line :
       {"", "\n", "-", "1-", "1-2", "1-2 ", "1-2 r", "1-2 r 0", "1-2 r 0 a", "2-1 r 0 a b /x",
        "1-2 r 0 a b c", "x-y r 0 a b /x", "11111111111111111-2 r 0 a b /x", "1-2 r 0 a b"}) {
    EXPECT_TRUE(parse_maps(line).empty()) << line;
  }
  EXPECT_EQ(parse_maps("1-2 r 0 a b /x").size(), 1U);
}

TEST(FindRegistries, SaysWhatIsMissing) {
  file_memory nothing(std::make_shared<buffer_source>(std::span<const std::byte>()), {});
  found_modules found;
  const auto error = [&](memory& target) {
    return find_registries(found, target, "process 7").error().what;
  };
  EXPECT_THAT(error(nothing), HasSubstr("process 7 is not a program built with bast"));
  found.has_32_bit = true;
  EXPECT_THAT(error(nothing), HasSubstr("process 7 is a 32-bit program"));
  found.anchors = {0x1000};
  EXPECT_THAT(error(nothing), HasSubstr("no anchor where it leads"));
  const bast::watch::anchor early{.magic = bast::watch::magic, .registry = 0, .bytes = 0};
  file_memory with_anchor(std::make_shared<buffer_source>(std::as_bytes(std::span(&early, 1))),
                          {{.address = 0x1000, .bytes = sizeof early, .offset = 0}});
  EXPECT_THAT(error(with_anchor), HasSubstr("registry is not made yet: it has no pool"));
}

}  // namespace
}  // namespace bast_stacks
