// SPDX-License-Identifier: Apache-2.0
#include "show/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/test_samples.hpp"
#include "show/caveats.hpp"
#include "show/columns.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// A program with this many sites, pools and reservations.
snapshot crowded(std::size_t count) {
  snapshot s = test::sample_server();
  for (std::size_t i = 0; i < count; ++i) {
    s.sites.push_back(test::make_site("/src/" + std::string(i % 90, 'd') + "/many.cpp",
                                      static_cast<std::uint32_t>(i), {{1000 + i, 5000}}));
    s.sites.back().pools = {10 + i};
    s.pools.push_back(s.pools[0]);
    s.pools.back().id = 10 + i;
    s.pools.back().where = "/src/pool.cpp:" + std::to_string(i);
    s.not_seen.push_back("Reservation number " + std::to_string(i) + std::string(100, '.'));
  }
  return s;
}

/// With reserves that do not depend on the test machine.
report_options fixed_report() { return {.recommend = {.reserves = {.signal_frame = 1776}}}; }

TEST(Report, OfPoolsThatAreAllGoneTheSpaceIsWhatTheyHad) {
  snapshot s = test::sample_server();
  const auto line = [&] {
    const std::string text = report_text(s);
    const std::size_t at = text.find("could be given back");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_THAT(line(), ::testing::Not(HasSubstr(" that its pools had")));
  for (pool& each : s.pools) each.gone = 1;
  EXPECT_THAT(line(), ::testing::EndsWith(" of address space that its pools had"));
  s.pools[0].gone = 0;
  EXPECT_THAT(line(), ::testing::Not(HasSubstr(" that its pools had")));
}

TEST(Explain, AnOverflowAndTheTightestPool) {
  snapshot s = test::sample_server();
  s.sites[0].overflows = 1;
  s.sites[0].limit = 64 << 10;
  s.sites[0].max_in_limit = 60'000;
  EXPECT_THAT(explain_text(s, "parse.cpp:40"),
              HasSubstr("growth faults\n"
                        "  !! overflowed 1 time: it needs more than 64 KiB\n"
                        "  deepest 61.2 KiB of all its pools\n"
                        "  deepest 58.6 KiB of 64 KiB, margin 8.4 %"));
}

TEST(Report, NamesTheWorstMarginFirst) {
  const std::string text = report_text(test::sample_server());
  EXPECT_LT(text.find("parse.cpp:40"), text.find("render.cpp:14"));
  EXPECT_LT(text.find("render.cpp:14"), text.find("server.cpp:88"));
}

TEST(Report, WarnsOfANarrowMarginAndNamesTheRecursion) {
  const std::vector<std::string> lines =
      lines_of(report_text(test::sample_server(), fixed_report()));
  ASSERT_GT(lines.size(), 3u);
  EXPECT_THAT(lines[3], HasSubstr("!! parse.cpp:40"));
  EXPECT_THAT(lines[3], HasSubstr("4.3 %"));
  EXPECT_THAT(lines[3], HasSubstr("76 KiB, recursion json_value x37"));
  EXPECT_THAT(lines[4], Not(HasSubstr("!!")));
}

TEST(Report, AnswersInFifteenLinesOfAHundredColumns) {
  for (const std::size_t sites : {0u, 1u, 5u, 20u, 1000u}) {
    const std::vector<std::string> lines = lines_of(report_text(crowded(sites)));
    EXPECT_LE(lines.size(), 15u) << sites;
    for (const std::string& line : lines) EXPECT_LE(columns_of(line), 100u) << line;
  }
}

TEST(Report, SaysWhatToPasteAndWhatCanBeGivenBack) {
  const std::string text = report_text(crowded(1), fixed_report());
  EXPECT_THAT(text, HasSubstr("bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // "
                              "parse.cpp:10, for parse.cpp:40"));
  EXPECT_THAT(text, HasSubstr("keep .limit = 256_KiB  // server.cpp:20, until render.cpp:14 has "
                              "run 2,783 times more"));
  EXPECT_THAT(text, HasSubstr("could be given back: "));
  EXPECT_THAT(text, HasSubstr("4 KiB of memory below live stacks"));
}

TEST(Report, AllShowsEverything) {
  report_options options;
  options.all = true;
  const std::string text = report_text(crowded(40), options);
  EXPECT_THAT(text, HasSubstr("many.cpp:39"));
  EXPECT_THAT(text, HasSubstr("39......"));
  EXPECT_THAT(text, HasSubstr("// pool.cpp:39"));
  EXPECT_THAT(text, Not(HasSubstr("... ")));
}

TEST(Report, TopLimitsTheRows) {
  report_options options;
  options.top = 1;
  const std::string text = report_text(test::sample_server(), options);
  EXPECT_THAT(text, HasSubstr("... 2 more: --all"));
  EXPECT_THAT(text, Not(HasSubstr("\n   render.cpp:14")));
}

TEST(Report, SortsByWhatIsAskedFor) {
  const auto first = [](report_order order) {
    report_options options;
    options.sort = order;
    options.top = 1;
    const std::string row = lines_of(report_text(test::sample_server(), options))[3];
    return row.substr(0, row.find("  "));
  };
  EXPECT_THAT(first(report_order::uses), HasSubstr("server.cpp:88"));
  EXPECT_THAT(first(report_order::max), HasSubstr("parse.cpp:40"));
  EXPECT_THAT(first(report_order::waste), HasSubstr("server.cpp:88"));
  EXPECT_THAT(first(report_order::site), HasSubstr("parse.cpp:40"));
}

TEST(Report, ALiveStackShowsItsInterval) {
  report_options options;
  options.by = report_rows::stacks;
  EXPECT_THAT(report_text(test::sample_server(), options), HasSubstr("6.0 (<= 8.0)"));
  options.exact_bytes = true;
  EXPECT_THAT(report_text(test::sample_server(), options), HasSubstr("6144 (<= 8192)"));
}

TEST(Report, PoolsShowTheirDeepestSite) {
  report_options options;
  options.by = report_rows::pools;
  EXPECT_THAT(report_text(test::sample_server(), options), HasSubstr("!! parse.cpp:10 #2"));
}

TEST(Report, ACoreSaysWhichStackCrashed) {
  snapshot s = test::sample_server();
  s.stacks[1].crashed = true;
  s.stacks[1].name = "json 3";
  EXPECT_THAT(report_text(s), HasSubstr("crashed on 'json 3' of /src/app/parse.cpp:40: 60 KiB"));
}

TEST(Report, ColoursOnlyOnRequest) {
  EXPECT_THAT(report_text(test::sample_server()), Not(HasSubstr("\x1b")));
  report_options options;
  options.colour = true;
  EXPECT_THAT(report_text(test::sample_server(), options), HasSubstr("\x1b[1;31m!! parse.cpp:40"));
}

TEST(Report, HostileNamesDoNotReachTheTerminal) {
  snapshot s = test::sample_server();
  s.sites[0].where = "\x1b]0;x\x07/evil\n.cpp";
  s.program = "\x1b[2J";
  s.stacks[0].name = "a\nb";
  s.not_seen = {"line\x1b[A"};
  s.pools[1].where = "p\x1b.cpp";
  for (const report_rows by : {report_rows::sites, report_rows::stacks, report_rows::pools}) {
    report_options options;
    options.by = by;
    options.all = true;
    EXPECT_THAT(report_text(s, options), Not(HasSubstr("\x1b")));
    EXPECT_THAT(report_text(s, options), Not(HasSubstr("a\nb")));
  }
}

TEST(Report, OfAnEmptySnapshotSaysSo) {
  EXPECT_THAT(report_text(snapshot{}), HasSubstr("nothing has run on a stack of bast yet"));
}

TEST(Report, AnySnapshotHasOne) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 300; ++i) {
    const snapshot s = test::random_snapshot(random);
    for (const report_rows by : {report_rows::sites, report_rows::stacks, report_rows::pools}) {
      report_options options;
      options.by = by;
      EXPECT_LE(lines_of(report_text(s, options)).size(), 15u);
    }
  }
}

TEST(Explain, ShowsTheHistogramTheBacktraceAndTheSize) {
  EXPECT_EQ(explain_text(test::sample_server(), "render.cpp:*"),
            "/src/app/render.cpp:14\n"
            "  212 uses, 4 live stacks, 0 growth faults\n"
            "  deepest 32.2 KiB of 256 KiB, margin 87.4 %\n"
            "  of 212 samples: p50 18 KiB, p90 30.5 KiB, p99 30.5 KiB\n"
            "\n"
            "  from    16 KiB          210  #################################################\n"
            "  from    32 KiB            2  #\n"
            "\n"
            "  no backtrace was recorded: the stack never grew beyond its window\n"
            "\n"
            "  recommended: keep: 2,783 runs more\n");
  report_options analysed;
  analysed.recommend.code = {.file = "server", .sites = {{.root = "start", .reasons = 12}}};
  EXPECT_THAT(explain_text(test::sample_server(), "parse.cpp:40", analysed),
              HasSubstr("  recursion json_value x37: +6.4 KiB\n  no sound bound: 12 reasons\n"));
  EXPECT_THAT(explain_text(test::sample_server(), "parse.cpp:40"),
              HasSubstr("  backtrace at the deepest touch, 61.2 KiB, deepest call first:\n"
                        "    59.6 KiB  json_value (parse.cpp:51) x37\n"));
  EXPECT_EQ(explain_text(test::sample_server(), "nothing"), "");
}

TEST(Explain, AnySiteCanBe) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 200; ++i) {
    const snapshot s = test::random_snapshot(random);
    EXPECT_EQ(explain_text(s, "*").empty(), s.sites.empty());
  }
}

TEST(Honesty, SaysWhatTheNumbersDoNotMean) {
  snapshot s = test::sample_server();
  s.built = bast::watch::built_address_sanitizer | bast::watch::built_hardened;
  s.sites[1].uses = 7;
  s.stacks[0].scanned = false;
  s.stacks[1].shared_with_earlier = true;
  EXPECT_EQ(reservations(s),
            (std::vector<std::string>{
                "The program is not a release build (address_sanitizer): its stacks are deeper.",
                "Site render.cpp:14 has 3 uses that were not measured yet.",
                "1 site had fewer than 30 uses: their quantiles say little.",
                "The depth of 1 live stack is not known.",
                "1 live stack may show the depth of earlier uses, which were not scrubbed."}));
}

}  // namespace
}  // namespace bast_stacks
