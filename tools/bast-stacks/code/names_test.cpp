// SPDX-License-Identifier: Apache-2.0
#include "code/names.hpp"

#include <gtest/gtest.h>

namespace bast_stacks {
namespace {

TEST(Names, ShowsWhatTheSourceSays) {
  EXPECT_EQ(demangled("_Z1fi"), "f(int)");
  EXPECT_EQ(demangled("main"), "main");
  EXPECT_EQ(demangled("_ZN4bast4v0_18internal5enterEPNS0_4coroE"),
            "bast::internal::enter(bast::coro*)");
  EXPECT_EQ(demangled("_ZN4bast5valueEv"), "bast::value()");
  EXPECT_EQ(demangled("_ZN4bast4v0_1Ev"), "bast::v0_1()");
  EXPECT_EQ(demangled("_Z1fi.cold"), "f(int) [.cold]");
  EXPECT_EQ(demangled("_Znonsense"), "_Znonsense");
  EXPECT_EQ(demangled(""), "");
}

TEST(Names, WhatAFileCallsThingsIsShownClean) {
  EXPECT_EQ(demangled("f\x1b[2J\n"), "f\ufffd[2J\ufffd");
}

TEST(Names, LeavesResultAndParametersOut) {
  EXPECT_EQ(without_parameters("f(int)"), "f");
  EXPECT_EQ(without_parameters("int max<int>(int, int)"), "max");
  EXPECT_EQ(without_parameters("a::b<c<d> >::e(f) const"), "a::b::e");
  EXPECT_EQ(without_parameters("(anonymous namespace)::f()"), "(anonymous namespace)::f");
  EXPECT_EQ(without_parameters("a::operator()(int) const"), "a::operator()");
  EXPECT_EQ(without_parameters("a::operator<<(int)"), "a::operator<<");
  EXPECT_EQ(without_parameters("a::operator<(int)"), "a::operator<");
  EXPECT_EQ(without_parameters("main"), "main");
  EXPECT_EQ(without_parameters(""), "");
}

TEST(Names, MeansAFunctionByAnyOfItsNames) {
  EXPECT_TRUE(means("_Z1fi", "_Z1fi"));
  EXPECT_TRUE(means("f(int)", "_Z1fi"));
  EXPECT_TRUE(means("f", "_Z1fi"));
  EXPECT_FALSE(means("g", "_Z1fi"));
  EXPECT_TRUE(means("main", "main"));
  EXPECT_TRUE(means("f", "_ZN12_GLOBAL__N_11fEv"));
  EXPECT_TRUE(means("(anonymous namespace)::f", "_ZN12_GLOBAL__N_11fEv"));
}

}  // namespace
}  // namespace bast_stacks
