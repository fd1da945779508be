// SPDX-License-Identifier: Apache-2.0
#include "show/names.hpp"

#include <gtest/gtest.h>

#include "model/test_samples.hpp"

namespace bast_stacks {
namespace {

TEST(Names, SitesAreShortenedOnlyAsFarAsTheyDiffer) {
  std::vector<site> sites = {test::make_site("/src/a/x.cpp", 1, {}),
                             test::make_site("/src/b/x.cpp", 1, {}),
                             test::make_site("/src/b/y.cpp", 1, {})};
  EXPECT_EQ(short_site_names(sites),
            (std::vector<std::string>{"a/x.cpp:1", "b/x.cpp:1", "y.cpp:1"}));
}

TEST(Names, TwoSitesOfOneLineDoNotHang) {
  const site one = test::make_site("x.cpp", 1, {});
  EXPECT_EQ(short_site_names({one, one}).size(), 2u);
}

TEST(Names, LabelsAndTheOtherSite) {
  site s;
  EXPECT_EQ(site_name(s), "(other)");
  s.kind = bast::watch::site_kind::label;
  s.where = "a/b";
  EXPECT_EQ(short_site_name(s), "a/b");
  s.where_is_cut = true;
  EXPECT_EQ(site_name(s), "...a/b");
}

TEST(Names, FunctionsOfTemplatesAreReadable) {
  const auto expect = [](const char* demangled, const char* expected) {
    EXPECT_EQ(short_function_name(demangled), expected) << demangled;
  };
  expect("main", "main");
  expect("f(int, char*)", "f");
  expect("void std::sort<int*>(int*, int*)", "std::sort");
  expect("std::_Executor<demo::(anonymous namespace)::text, true>::_M_dfs(std::_Mode, long)",
         "std::_Executor::_M_dfs");
  expect("demo::crew::start(std::shared_ptr<x const>)::{lambda(int&)#1}::operator()(int&) const",
         "demo::crew::start::{lambda}::operator()");
  expect("(anonymous namespace)::parse(char const*)", "parse");
  expect("bool operator< <int>(a<int> const&, a<int> const&)", "operator< <int>");
  expect("a::operator<<(int)", "a::operator<<");
  expect("std::function<void (int)>::operator()(int) const", "std::function::operator()");
  expect("(start of the stack)", "(start of the stack)");
  expect("f[abi:cxx11](int)", "f");
  expect("decltype(auto) g<3>(int)", "g");
  expect("x<<<(((", "x");
  expect("", "");
}

}  // namespace
}  // namespace bast_stacks
