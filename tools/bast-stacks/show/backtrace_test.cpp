// SPDX-License-Identifier: Apache-2.0
#include "show/backtrace.hpp"

#include <gtest/gtest.h>

#include "model/test_samples.hpp"

namespace bast_stacks {
namespace {

TEST(Backtrace, FoldsRepetitionsAndKeepsItsSum) {
  const snapshot s = test::sample_server();
  EXPECT_EQ(backtrace_text(s.sites[0].deepest, true),
            "     61050 B  json_value (parse.cpp:51) x37\n"
            "      1650 B  parse (parse.cpp:41)\n");
}

TEST(Backtrace, SaysWhereFramesAreMissing) {
  backtrace b;
  b.frames = {test::make_frame("f", 100), test::make_frame("f", 100)};
  b.frames[1].confirmed = false;
  b.inner = 1;
  b.omitted_bytes = 5000;
  EXPECT_EQ(backtrace_text(b, true),
            "       100 B  f (server+0x1064)\n"
            "      5000 B  (frames not recorded)\n"
            "       100 B  f (server+0x1064) ?\n");
}

TEST(Backtrace, RecursionIsNamedWithItsDepth) {
  EXPECT_EQ(recursion_text(test::sample_server().sites[0].deepest), "recursion json_value x37");
  EXPECT_EQ(recursion_text(test::sample_server().sites[2].deepest), "");
}

TEST(Backtrace, MutualRecursionIsNamedByItsOutermostFunction) {
  backtrace b;
  for (int i = 0; i < 4; ++i) {
    b.frames.push_back(test::make_frame("inner", 10));
    b.frames.push_back(test::make_frame("outer", 10));
  }
  EXPECT_EQ(recursion_text(b), "recursion outer x4");
}

TEST(Backtrace, FoldsACycleOfFunctions) {
  backtrace b;
  b.frames.push_back(test::make_frame("leaf", 8));
  for (int i = 0; i < 5; ++i) {
    b.frames.push_back(test::make_frame("dfs", 16));
    b.frames.push_back(test::make_frame("repeat", 48));
    b.frames.push_back(test::make_frame("dfs", 24));
  }
  b.frames.push_back(test::make_frame("main", 64));
  b.inner = b.frames.size();
  EXPECT_EQ(backtrace_text(b, true),
            "         8 B  leaf (server+0x1008)\n"
            "       440 B  5 times these 3 calls:\n"
            "        16 B    dfs (server+0x1010)\n"
            "        48 B    repeat (server+0x1030)\n"
            "        24 B    dfs (server+0x1018)\n"
            "        64 B  main (server+0x1040)\n");
}

TEST(Backtrace, EstimatesTheDepthOfARecursionWhoseFramesAreMissing) {
  backtrace b;
  b.frames.assign(20, test::make_frame("dfs", 100));
  b.inner = 15;
  b.omitted_bytes = 160'000;
  EXPECT_EQ(recursion_text(b), "recursion dfs x~1600");
  b.inner = 0;  // nothing to estimate from
  EXPECT_EQ(recursion_text(b), "recursion dfs x20");
}

TEST(Backtrace, AnyCanBeWritten) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 300; ++i) {
    backtrace b;
    for (std::uint64_t n = random.below(60); n != 0; --n) {
      const char* const names[] = {"a", "b", "c", ""};
      b.frames.push_back(test::make_frame(names[random.below(4)], random.below(100)));
    }
    b.inner = random.below(b.frames.size() + 1);
    EXPECT_EQ(backtrace_text(b, true).empty(), b.frames.empty());
    EXPECT_LE(recursion_of(b).times, 60u);
  }
}

}  // namespace
}  // namespace bast_stacks
