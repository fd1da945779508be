// SPDX-License-Identifier: Apache-2.0
#include "show/export.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "model/test_samples.hpp"

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

TEST(ExportPrometheus, NoSeriesIsThereTwice) {
  snapshot s = test::sample_server();
  for (int i = 0; i < 3; ++i) s.sites.push_back(s.sites[0]);
  const std::string text = export_prometheus(s);
  std::set<std::string> series;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    if (!line.starts_with('#')) {
      EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << line;
    }
    at = end + 1;
  }
}

}  // namespace
}  // namespace bast_stacks
