// SPDX-License-Identifier: Apache-2.0
#include "code/annotations.hpp"

#include <gtest/gtest.h>

namespace bast_stacks {
namespace {

std::string mistake_in(std::string_view text) {
  const auto found = parse_annotations(text, "notes");
  return found ? "" : found.error().what;
}

TEST(Annotations, ReadsEveryKind) {
  const auto found = parse_annotations(
      "# what the protocol promises\n"
      "edge a::b(int) -> c<d>()\n"
      "\n"
      "  recursion f(int) <= 12   # levels\r\n"
      "alloca h <= 4096\n"
      "ignore abort\n"
      "external operator<= <= 512",
      "notes");
  ASSERT_TRUE(found) << found.error().what;
  ASSERT_EQ(found->size(), 5U);
  EXPECT_EQ((*found)[0].kind, annotation_kind::edge);
  EXPECT_EQ((*found)[0].function, "a::b(int)");
  EXPECT_EQ((*found)[0].target, "c<d>()");
  EXPECT_EQ((*found)[1].kind, annotation_kind::recursion);
  EXPECT_EQ((*found)[1].function, "f(int)");
  EXPECT_EQ((*found)[1].limit, 12U);
  EXPECT_EQ((*found)[1].where, "notes:4");
  EXPECT_EQ((*found)[2].limit, 4096U);
  EXPECT_EQ((*found)[3].function, "abort");
  EXPECT_EQ((*found)[4].function, "operator<=");
  EXPECT_EQ((*found)[4].limit, 512U);
}

TEST(Annotations, TakeWhatIsPrinted) {
  const auto found = parse_annotations(
      "ignore main::{lambda()#1}::operator()() const [.isra.0] # in a comment #2\n"
      "ignore 0x12a40@libc.so.6\t#3\n"
      "edge f@m.so -> g@n.so\n",
      "notes");
  ASSERT_TRUE(found) << found.error().what;
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ((*found)[0].function, "main::{lambda()#1}::operator()() const [.isra.0]");
  EXPECT_EQ((*found)[0].module, "");
  EXPECT_EQ((*found)[1].function, "0x12a40");
  EXPECT_EQ((*found)[1].module, "libc.so.6");
  EXPECT_EQ((*found)[2].function, "f");
  EXPECT_EQ((*found)[2].module, "m.so");
  EXPECT_EQ((*found)[2].target, "g@n.so");
}

TEST(Annotations, NamesFileAndLineOfAMistake) {
  EXPECT_EQ(mistake_in("ignore f\nremember g\n"),
            "notes:2: \"remember\" is none of edge, recursion, alloca, ignore, external");
  EXPECT_EQ(mistake_in("edge a b"), "notes:1: expected as in \"edge a -> b\"");
  EXPECT_EQ(mistake_in("ignore"), "notes:1: expected as in \"ignore f\"");
  EXPECT_EQ(mistake_in("alloca f <= many"), "notes:1: \"many\" is not a number up to 2^40");
  EXPECT_EQ(mistake_in("alloca f <= -1"), "notes:1: \"-1\" is not a number up to 2^40");
  EXPECT_EQ(mistake_in("alloca f <= 99999999999999999999"),
            "notes:1: \"99999999999999999999\" is not a number up to 2^40");
}

TEST(Annotations, NamesAFileThatIsMissing) {
  const auto found = read_annotations("/no/such/file");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().what, "/no/such/file cannot be opened: No such file or directory");
}

}  // namespace
}  // namespace bast_stacks
