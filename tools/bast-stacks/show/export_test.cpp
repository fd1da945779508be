// SPDX-License-Identifier: Apache-2.0
#include "show/export.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/test_samples.hpp"
#include "show/testing/exposition_check.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ExportCsv, IsALineASite) {
  const std::string text = export_csv(test::sample_server());
  EXPECT_THAT(text, StartsWith("site,kind,uses,"));
  EXPECT_THAT(text, HasSubstr("/src/app/server.cpp:88,source,41203,0,41203,512,512,0,3135,"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 4);
}

TEST(ExportCsv, QuotesAndDisarmsNames) {
  snapshot s = test::sample_server();
  s.sites.resize(2);
  s.sites[0].kind = s.sites[1].kind = bast::watch::site_kind::label;
  s.sites[0].where = "=HYPERLINK(\"x\",1)";
  s.sites[1].where = "a\nb";
  const std::string text = export_csv(s);
  EXPECT_THAT(text, HasSubstr("\n\"'=HYPERLINK(\"\"x\"\",1)\",label,"));
  EXPECT_THAT(text, HasSubstr("\na\ufffdb,label,"));
}

TEST(ExportPrometheus, CountsAreCumulative) {
  snapshot s = test::sample_server();
  s.sites = {test::make_site("x.cpp", 1, {{100, 5}, {1023, 1}, {1024, 2}, {9000, 3}})};
  const std::string text = export_prometheus(s);
  EXPECT_THAT(text, HasSubstr("bast_stack_used_bytes_bucket{site=\"x.cpp:1\",le=\"1023\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("bast_stack_used_bytes_bucket{site=\"x.cpp:1\",le=\"2047\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("bast_stack_used_bytes_bucket{site=\"x.cpp:1\",le=\"16383\"} 11\n"));
  EXPECT_THAT(text, HasSubstr("bast_stack_used_bytes_bucket{site=\"x.cpp:1\",le=\"+Inf\"} 11\n"));
  EXPECT_THAT(text, HasSubstr("bast_stack_used_bytes_count{site=\"x.cpp:1\"} 11\n"));
  EXPECT_THAT(text, HasSubstr("bast_stack_used_bytes_max{site=\"x.cpp:1\"} 9000\n"));
}

TEST(ExportPrometheus, EscapesLabels) {
  snapshot s = test::sample_server();
  s.sites.resize(1);
  s.sites[0].kind = bast::watch::site_kind::label;
  s.sites[0].where = "a\"b\\c\nd";
  EXPECT_THAT(export_prometheus(s), HasSubstr("{site=\"a\\\"b\\\\c\ufffdd\"}"));
}

TEST(ExportPrometheus, TheSumIsOfTheMiddlesOfBucketsAndNoDeeperThanTheDeepest) {
  const auto sum_of = [](const test::depths& used) {
    snapshot s;
    s.sites = {test::make_site("x.cpp", 1, used)};
    const std::string text = export_prometheus(s);
    const std::string head = "bast_stack_used_bytes_sum{site=\"x.cpp:1\"} ";
    const std::size_t at = text.find(head);
    if (at == text.npos) return std::string("none");
    const std::size_t begin = at + head.size();
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_EQ(sum_of({}), "0");
  EXPECT_EQ(sum_of({{100, 1}}), "82");               // of 64 to 100
  EXPECT_EQ(sum_of({{100, 5}, {5000, 1}}), "5471");  // 5 * 95 of 64 to 127, 4996 of 4992 to 5000
  EXPECT_EQ(sum_of({{std::uint64_t{1} << 40, 1}}), "549788844032");  // in the unbounded bucket
}

TEST(ExportPrometheus, IsAnExpositionWhateverThingsAreCalled) {
  using testing::exposition_check;
  EXPECT_EQ(exposition_check::run(export_prometheus({})), "");
  snapshot s = test::sample_server();
  for (int i = 0; i < 3; ++i) s.sites.push_back(s.sites[0]);
  s.sites[1].kind = bast::watch::site_kind::label;
  s.sites[1].where = "a\"b\\c\nd}\\";
  EXPECT_EQ(exposition_check::run(export_prometheus(s)), "");
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 300; ++i)
    EXPECT_EQ(exposition_check::run(export_prometheus(test::random_snapshot(random))), "");
}

/// The checker must detect each violation.
TEST(ExportPrometheus, TheCheckFindsWhatIsWrong) {
  const std::string good = export_prometheus(test::sample_server());
  const auto found = [&](const std::string& was, const std::string& is) {
    std::string bad = good;
    const std::size_t at = bad.find(was);
    if (at == bad.npos) return std::string("not there");
    const std::string wrong = testing::exposition_check::run(bad.replace(at, was.size(), is));
    return wrong.substr(0, wrong.find(':'));
  };
  EXPECT_EQ(found("le=\"+Inf\"} 9002", "le=\"+Inf\"} 9003"), "+Inf, _sum, _count");
  EXPECT_EQ(found("le=\"+Inf\"", "le=\"99999999\""), "+Inf, _sum, _count");
  EXPECT_EQ(found("_sum{", "_total{"), "no part of a histogram");
  EXPECT_EQ(found("le=\"2047\"", "le=\"1023\""), "a series that is there twice");
  EXPECT_EQ(found("le=\"2047\"", "le=\"7\""), "not ascending");
  EXPECT_EQ(found("le=\"1023\"} 0", "le=\"1023\"} 9999"), "a count that falls");
  EXPECT_EQ(found("# TYPE bast_stack_live", "# HELP bast_stack_live"),
            "not once before the samples");
  EXPECT_EQ(found("# HELP bast_stack_live", "# HELP bast_stack_used_bytes"),
            "a family in two places");
  EXPECT_EQ(found("HELP bast_stack_live ", "HELP bast_stack_live \\t"), "an escape that is none");
  EXPECT_EQ(found("{site=\"", "{site=\"\\c"), "labels");
  EXPECT_EQ(found("{site=\"", "{9site=\""), "labels");
  EXPECT_EQ(found("} 9002\n", "} many\n"), "a value");
  EXPECT_EQ(testing::exposition_check::run(good.substr(0, good.size() - 1)),
            "the last line does not end");
}

}  // namespace
}  // namespace bast_stacks
