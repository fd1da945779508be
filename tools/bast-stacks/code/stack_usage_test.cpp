// SPDX-License-Identifier: Apache-2.0
#include "code/stack_usage.hpp"

#include <elf.h>
#include <gtest/gtest.h>

namespace bast_stacks {
namespace {

TEST(StackUsage, ReadsWhatGccWrites) {
  std::size_t refused = 0;
  const auto all = parse_su(
      "a.cpp:5:5:virtual int S::m(int)\t320\tstatic\n"
      "/x:y/a.cpp:6:38:int loc(int)\t48\tdynamic\n"
      "a.cpp:7:5:int f(int, S*)\t96\tdynamic,bounded\n",
      refused);
  EXPECT_EQ(refused, 0U);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].function, "virtual int S::m(int)");
  EXPECT_EQ(all[0].bytes, 320U);
  EXPECT_FALSE(all[0].from_clang);
  EXPECT_EQ(all[1].function, "int loc(int)");
  EXPECT_EQ(all[1].kind, usage_kind::dynamic);
  EXPECT_EQ(all[2].kind, usage_kind::bounded);
}

TEST(StackUsage, ReadsWhatClangWrites) {
  std::size_t refused = 0;
  const auto all = parse_su("a.cpp:3:_ZL4tmplIiET_S0_\t120\tstatic\n", refused);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].function, "_ZL4tmplIiET_S0_");
  EXPECT_TRUE(all[0].from_clang);
}

TEST(StackUsage, ReadsCallGraphs) {
  std::size_t refused = 0;
  const auto all = parse_ci(
      "graph: { title: \"a.cpp\"\n"
      "node: { title: \"_ZN1S1mEi\" label: \"virtual int S::m(int)\\na.cpp:5:5\\n320 bytes "
      "(static)\\n0 dynamic objects\" }\n"
      "node: { title: \"_Z4sinkPv\" label: \"void sink(void*)\\na.cpp:2:6\" shape : ellipse }\n"
      "edge: { sourcename: \"_ZN1S1mEi\" targetname: \"_Z4sinkPv\" label: \"a.cpp:5:36\" }\n"
      "node: { title: \"a.cpp:_ZL3loci\" label: \"int loc(int)\\na.cpp:6:38\\n48 bytes "
      "(dynamic)\\n1 dynamic objects\\n (null) a.cpp:6:68\" }\n"
      "}\n",
      refused);
  EXPECT_EQ(refused, 0U);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].function, "_ZN1S1mEi");
  EXPECT_EQ(all[0].bytes, 320U);
  EXPECT_EQ(all[1].function, "_ZL3loci");
  EXPECT_EQ(all[1].kind, usage_kind::dynamic);
}

TEST(StackUsage, CountsLinesThatMakeNoSense) {
  std::size_t refused = 0;
  EXPECT_TRUE(
      parse_su("no tabs\n\t\t\na:1:f\tmany\tstatic\na:1:f\t5\tsometimes\n", refused).empty());
  EXPECT_EQ(refused, 4U);
  EXPECT_TRUE(parse_ci("node: { title: \"unfinished\n", refused).empty());
  EXPECT_EQ(refused, 5U);
}

TEST(StackUsage, CountsTheReturnAddressForClangToo) {
  std::size_t refused = 0;
  usage_table table;
  table.add(parse_su("a.cpp:3:_Z1fi\t120\tstatic\n", refused), EM_X86_64);
  ASSERT_NE(table.find("_Z1fi"), nullptr);
  EXPECT_EQ(table.find("_Z1fi")->bytes, 128U);
  usage_table arm;
  arm.add(parse_su("a.cpp:3:_Z1fi\t120\tstatic\n", refused), EM_AARCH64);
  EXPECT_EQ(arm.find("_Z1fi")->bytes, 120U);
  EXPECT_EQ(arm.find("_Z1gi"), nullptr);
}

TEST(StackUsage, TheLargestOfSeveralCounts) {
  std::size_t refused = 0;
  usage_table table;
  table.add(parse_su("a.cpp:3:1:f\t100\tstatic\na.cpp:9:1:f\t64\tstatic\n", refused), EM_X86_64);
  EXPECT_EQ(table.find("f")->bytes, 100U);
}

TEST(StackUsage, NamesADirectoryThatIsMissing) {
  usage_table table;
  const auto added = table.add_directory("/no/such/directory", EM_X86_64);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().what, "/no/such/directory cannot be read: No such file or directory");
}

}  // namespace
}  // namespace bast_stacks
