// SPDX-License-Identifier: Apache-2.0
#include "show/text.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "model/test_samples.hpp"
#include "show/columns.hpp"
#include "show/names.hpp"
#include "show/table.hpp"

namespace bast_stacks {
namespace {

TEST(Text, SizesSpellTheirUnit) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1 KiB");
  EXPECT_EQ(size_text(9318), "9.1 KiB");
  EXPECT_EQ(size_text((1 << 20) - 1), "1 MiB");
  EXPECT_EQ(size_text(3 << 20), "3 MiB");
  EXPECT_EQ(size_text(9318, true), "9318 B");
  EXPECT_EQ(size_text(std::numeric_limits<std::uint64_t>::max()), "16777216 TiB");
}

TEST(Text, ExactBytesSayWhatTheyMean) {
  EXPECT_EQ(exact_bytes_text(1), "1 byte");
  EXPECT_EQ(exact_bytes_text(912), "912 bytes");
  EXPECT_EQ(exact_bytes_text(9318), "9,318 bytes (9.1 KiB)");
}

TEST(Text, CountsAndTimes) {
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "site"), "1 site");
  EXPECT_EQ(duration_text(3'600'000'000'000), "60 min");
  EXPECT_EQ(duration_text(1'200'000), "1.2 ms");
  EXPECT_EQ(duration_text(200'000'000'000'000), "2 d 7 h");
}

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

TEST(Table, AlignsAndCutsTheColumnThatGivesWay) {
  table t({{"name", table::align::left, true}, {"n"}, {"why", table::align::left}});
  t.add({"short", "1", "b"});
  t.add({std::string(90, 'x') + "end", "12345", std::string(40, 'y')}, "!!");
  const std::string text = t.text();
  EXPECT_NE(text.find("   name "), std::string::npos);
  EXPECT_NE(text.find("!! ...xxx"), std::string::npos);
  EXPECT_NE(text.find("xend  12345  yyy"), std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(end - at, line_width);
    at = end + 1;
  }
}

}  // namespace
}  // namespace bast_stacks
