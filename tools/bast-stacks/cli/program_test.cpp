// SPDX-License-Identifier: Apache-2.0
//
// The built program as users run it: its output, and its exit status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "cli/program_fixture.hpp"

namespace bast_stacks {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(Program, HelpShowsAnExampleFirst) {
  for (const char* const command : all_commands) {
    const ending help = run({command, "--help"});
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_THAT(help.out, StartsWith(std::string("  bast-stacks ") + command));
    EXPECT_THAT(help.out, HasSubstr(std::string("\nusage: bast-stacks ") + command));
    EXPECT_THAT(help.error, IsEmpty());
  }
  EXPECT_THAT(run({"--help"}).out, HasSubstr("\n  recommend  say what size to set, and why\n"));
}

TEST_F(Program, VersionNamesTheRegistryItReads) {
  const ending version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, ::testing::MatchesRegex("bast-stacks [0-9.]+, registry ABI 1\\.3\n"));
}

TEST_F(Program, WithoutACommandItReports) {
  const ending named = run({"report", path("now.json")});
  EXPECT_EQ(named.status, 0);
  EXPECT_THAT(named.out, HasSubstr("!! parse.cpp:40"));
  EXPECT_EQ(run({path("now.json")}).out, named.out);
  EXPECT_EQ(run({path("now.json"), "--top", "1"}).status, 0);
}

TEST_F(Program, ReadsARecordingFromStandardInput) {
  const ending piped = run({"report", "-"}, path("now.json"));
  EXPECT_EQ(piped.status, 0);
  EXPECT_THAT(piped.out, HasSubstr("!! parse.cpp:40"));
  const ending bad = run({"report", "-"});
  EXPECT_EQ(bad.status, 3);
  EXPECT_THAT(bad.error, StartsWith("bast-stacks: standard input: "));
}

TEST_F(Program, WrongWordsAreStatusTwoWithHelpForThem) {
  const auto complaint = [&](const std::vector<std::string>& words, const char* expected) {
    const ending ended = run(words);
    EXPECT_EQ(ended.status, 2) << expected;
    EXPECT_THAT(ended.out, IsEmpty());
    EXPECT_THAT(ended.error, HasSubstr(expected));
  };
  complaint({}, "usage: bast-stacks");
  complaint({"reprot", "x"}, "\"reprot\" is neither a command nor a process or file");
  complaint({"report"}, "SOURCE is required\n  try: bast-stacks report --help");
  complaint({"report", "1", "--by", "day"}, "--by: \"day\" is none of site, stack, pool");
  complaint({"report", "1", "--colour"}, "--colour");
  complaint({"report", "1", "--top", "x"}, "--top");
  complaint({"recommend", "1", "--confidence", "100"}, "\"100\" is no percentage");
  complaint({"record", "server"}, "\"server\" is no number of a process");
  complaint({"record", "1", "--every", "5x"}, "\"5x\" is no time");
  complaint({"record", "1", "--every", "0s"}, "\"0s\" is no time");
  complaint({"check", path("now.json")}, "--budget is required");
  complaint({"run"}, "no program: write it after --");
  complaint({"recommend", path("now.json"), "--annotations", "x"},
            "--annotations requires --static");
  complaint({"export", path("now.json"), "--confidence", "90"}, "only --format html has");
  complaint({"export", path("now.json"), "--format", "csv", "--static", "x"}, "only --format html");
  complaint({"recommend", path("now.json"), "--bound", "x"}, "expected GLOB=SIZE");
  complaint({"recommend", path("now.json"), "--bound", "*=3K"}, "\"3K\" is not a size");
}

TEST_F(Program, WhatCannotBeReadIsStatusThree) {
  EXPECT_EQ(run({"report", path("absent")}).status, 3);
  write(path("broken.json"), "{\"format\": \"bast-stacks recording\", \"version\": 7}");
  const ending broken = run({"report", path("broken.json")});
  EXPECT_EQ(broken.status, 3);
  EXPECT_THAT(broken.error, HasSubstr("broken.json: version: is 7, this program reads version 1"));
  EXPECT_EQ(run({"report", path("now.json"), "--site", "gone"}).status, 3);
  EXPECT_EQ(run({"report", path("now.json"), "-o", path("no/such/directory")}).status, 3);
}

TEST_F(Program, AFullDiskIsAnError) {
  const int device = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (device < 0) GTEST_SKIP() << "needs /dev/full";
  const ending full = run({"report", path("now.json")}, "/dev/null", device);
  ::close(device);
  EXPECT_EQ(full.status, 3);
  EXPECT_THAT(full.error, HasSubstr("cannot write to standard output: No space left"));
}

TEST_F(Program, AReaderThatGoesAwayEndsItQuietly) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const ending ended = run({"export", path("now.json")}, "/dev/null", ends[1]);
  ::close(ends[1]);
  EXPECT_EQ(ended.status, 128 + SIGPIPE);
  EXPECT_THAT(ended.error, IsEmpty());
}

TEST_F(Program, WritesToAFileWhenAsked) {
  const ending ended = run({"report", path("now.json"), "-o", path("report.txt")});
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, IsEmpty());
  EXPECT_EQ(contents(path("report.txt")), run({"report", path("now.json")}).out);
}

TEST_F(Program, ExportsARecordingThatReadsBackTheSame) {
  const ending once = run({"export", path("now.json")});
  EXPECT_EQ(once.status, 0);
  EXPECT_EQ(once.out, contents(path("now.json")));
  EXPECT_EQ(run({"report", path("now.json"), "--json"}).out, once.out);
}

TEST_F(Program, ExportsEveryFormat) {
  const auto first = [&](const char* format) {
    const ending ended = run({"export", path("now.json"), "--format", format});
    EXPECT_EQ(ended.status, 0) << format;
    EXPECT_THAT(ended.error, IsEmpty());
    return ended.out.substr(0, 60);
  };
  EXPECT_THAT(first("csv"), StartsWith("site,kind,uses,"));
  EXPECT_THAT(first("prometheus"), StartsWith("# HELP bast_stack_used_bytes "));
  EXPECT_THAT(first("folded"), HasSubstr(".cpp:"));
  EXPECT_THAT(first("speedscope"), StartsWith("{"));
  EXPECT_THAT(first("html"), StartsWith("<!"));
  EXPECT_THAT(run({"flame", path("now.json"), "--site", "parse.cpp:*"}).out, HasSubstr("<svg"));
}

TEST_F(Program, DiffEndsWithOneOnlyWhenAskedAndDeeper) {
  snapshot deeper = test::sample_server();
  deeper.sites[2].max = 40000;
  write(path("new.json"), to_json(deeper));
  EXPECT_EQ(run({"diff", path("now.json"), path("new.json")}).status, 0);
  EXPECT_EQ(run({"diff", "--exit-code", path("now.json"), path("new.json")}).status, 1);
  EXPECT_EQ(run({"diff", "--exit-code", path("new.json"), path("now.json")}).status, 0);
  EXPECT_THAT(run({"diff", path("now.json"), path("new.json")}).out, HasSubstr("9.1 -> 39.1"));
}

TEST_F(Program, CheckIsAGate) {
  const std::string budget = path("stack.toml");
  const ending none = run({"check", path("now.json"), "--budget", budget});
  EXPECT_EQ(none.status, 3);
  EXPECT_THAT(none.error, HasSubstr("try: bast-stacks check --update"));

  EXPECT_EQ(run({"check", path("now.json"), "--budget", budget, "--update"}).status, 0);
  EXPECT_THAT(contents(budget), HasSubstr("site = \"parse.cpp:40\"\nmax = \"68 KiB\"\n"));
  EXPECT_EQ(run({"check", path("now.json"), "--budget", budget}).status, 0);

  snapshot deeper = test::sample_server();
  deeper.sites[0].max = 70 << 10;
  write(path("new.json"), to_json(deeper));
  const ending over = run({"check", path("new.json"), "--budget", budget});
  EXPECT_EQ(over.status, 1);
  EXPECT_THAT(over.out,
              HasSubstr("over budget: /src/app/parse.cpp:40: max 70 KiB, 68 KiB allowed"));
  EXPECT_THAT(over.out, HasSubstr("json_value (parse.cpp:51) x37"));
  EXPECT_EQ(run({"check", path("new.json"), "--budget", budget, "--format", "junit"}).status, 1);

  write(budget, "[[budget]]\nsite = \"gone.cpp:*\"\nmax = \"1 KiB\"\n");
  const ending gone = run({"check", path("now.json"), "--budget", budget});
  EXPECT_EQ(gone.status, 3);
  EXPECT_THAT(gone.error, HasSubstr("stack.toml:2:8: \"gone.cpp:*\" matches no site"));
}

TEST_F(Program, IsPlainWithoutATerminal) {
  EXPECT_THAT(run({"report", path("now.json")}).out, Not(HasSubstr("\x1b")));
}

TEST_F(Program, GeneratesAManPageForEachCommand) {
  EXPECT_EQ(run({"--generate", "man", directory_.string()}).status, 0);
  const std::string whole = contents(path("bast-stacks.1"));
  EXPECT_THAT(whole, HasSubstr(".TH BAST\\-STACKS 1"));
  for (const char* const command : all_commands) {
    EXPECT_THAT(whole, HasSubstr(std::string("\\fBbast\\-stacks\\-") + command + "\\fR(1)"));
    const std::string page = contents(path(std::string("bast-stacks-") + command + ".1"));
    EXPECT_THAT(page, HasSubstr("\n.SH OPTIONS\n"));
    EXPECT_THAT(page, HasSubstr("\n.SH EXIT STATUS\n"));
    EXPECT_THAT(page, EndsWith("\n"));
  }
}

TEST_F(Program, GeneratesCompletionWithEveryCommandAndChoice) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const ending ended = run({"--generate", "completion", shell});
    EXPECT_EQ(ended.status, 0);
    EXPECT_THAT(ended.out, HasSubstr("recommend"));
    EXPECT_THAT(ended.out, HasSubstr("text junit sarif github"));
    EXPECT_THAT(ended.out, HasSubstr("quantile"));
    EXPECT_THAT(ended.out, Not(HasSubstr("generate")));
  }
  EXPECT_EQ(run({"--generate", "completion", "csh"}).status, 2);
}

TEST_F(Program, TheStatusOfAProgramThatRanIsOurs) {
  // Not a program with bast, so there is nothing to report: an error, but the program's own takes
  // precedence.
  const ending well = run({"run", "--", "/bin/true"});
  EXPECT_EQ(well.status, 3);
  EXPECT_THAT(well.error, HasSubstr("/bin/true made no pool of bast"));
  const ending badly = run({"run", "--", "/bin/false"});
  EXPECT_EQ(badly.status, 1);
  EXPECT_THAT(badly.error, HasSubstr("/bin/false made no pool of bast; it ended with status 1"));
  const ending killed = run({"run", "-o", path("no.json"), "--", "/bin/sh", "-c", "kill -9 $$"});
  EXPECT_EQ(killed.status, 128 + SIGKILL);
  EXPECT_FALSE(fs::exists(path("no.json")));
}

}  // namespace
}  // namespace bast_stacks
