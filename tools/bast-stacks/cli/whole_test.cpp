// SPDX-License-Identifier: Apache-2.0
//
// The texts that the program generates from its option table, compared with files.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/program_fixture.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

using test::expect_whole;

TEST_F(Program, HelpIsWhole) {
  std::string all = run({"--help"}).out;
  for (const char* const command : all_commands) {
    all += "\n==== " + std::string(command) + "\n" + run({command, "--help"}).out;
  }
  expect_whole("cli/whole/help.txt", all);
}

TEST_F(Program, CompletionsAreWhole) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    expect_whole(std::string("cli/whole/completion.") + shell,
                 run({"--generate", "completion", shell}).out);
  }
}

TEST_F(Program, ManPagesAreWhole) {
  ASSERT_EQ(run({"--generate", "man", directory_.string()}).status, 0);
  std::vector<fs::path> pages;
  for (const auto& file : fs::directory_iterator(directory_)) {
    if (file.path().extension() == ".1") pages.push_back(file.path());
  }
  std::ranges::sort(pages);
  std::string all;
  for (const fs::path& page : pages) {
    all += "==== " + page.filename().string() + "\n" + contents(page);
  }
  expect_whole("cli/whole/man.txt", all);
}

/// `text` without the directory, which varies between runs.
std::string without_place(std::string text, const std::string& place) {
  for (std::size_t at = 0; (at = text.find(place, at)) != std::string::npos;) {
    text.replace(at, place.size(), "DIRECTORY");
  }
  return text;
}

TEST_F(Program, EachCommandIsWhole) {
  snapshot later = test::sample_server();
  later.sites[1].max = 20'000;
  later.sites[2].max = 40'000;
  later.sites.erase(later.sites.begin());
  later.stacks.clear();
  write(path("later.json"), to_json(later));
  write(path("budget.toml"),
        "[[budget]]\nsite = \"parse.cpp:*\"\nmax = \"60 KiB\"\np99 = \"22 KiB\"\n"
        "[[budget]]\nsite = \"server.cpp:*\"\nmax = \"12 KiB\"\nuses_min = 50000\n");
  // Without advice: that depends on the processor, whose signal frame is part of the reserve.
  snapshot roomy = test::sample_server();
  for (pool& each : roomy.pools) each.limit = 256 << 10;
  for (site& each : roomy.sites) each.limit = 256 << 10;
  write(path("roomy.json"), to_json(roomy));
  const std::string kept = path("roomy.json");
  const std::vector<std::string> never = {"--quantile", "99.99", "--confidence", "99"};
  const std::string now = path("now.json");
  const std::string then = path("later.json");
  const std::string budget = path("budget.toml");
  std::string all;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"report", kept, "--by", "stack", "--all"},
           {"report", kept, "--by", "stack", "--bytes", "--sort", "max"},
           {"report", kept, "--by", "stack", "--top", "1"},
           {"report", kept, "--by", "pool"},
           {"report", kept, "--by", "pool", "--bytes"},
           {"report", kept, "--site", "parse.cpp:*", "--bytes"},
           {"report", kept, "--site", "render.cpp:*"},
           {"report", kept, "--site", "nowhere"},
           {"report", now, "--json"},
           {"report", kept, "--format", "json", "-o", path("out.json")},
           {"report", path("out.json"), "--by", "stack", "--top", "2"},
           {"diff", now, then},
           {"diff", now, then, "--all", "--bytes"},
           {"diff", then, now, "--json"},
           {"diff", now, now},
           {"check", now, "--budget", budget},
           {"check", now, "--budget", budget, "--format", "junit"},
           {"check", now, "--budget", budget, "--format", "sarif"},
           {"check", now, "--budget", budget, "--format", "github"},
           {"check", now, "--budget", path("missing.toml")},
           {"export", now, "--format", "csv"},
           {"export", then, "--format", "prometheus"},
           {"export", then, "--format", "json"},
           {"flame", then, "--format", "folded"},
           {"flame", then, "--format", "speedscope"},
           {"flame", then, "--format", "svg", "--site", "server.cpp:*"},
           {"flame", then, "--format", "no"},
           {"report", path("missing.json")},
           {"report"},
           {"report", now, "more"},
           {"report", now, "--top", "-1"},
           {"report", now, "--top", "2x"},
           {"report", now, "--quantile", "101"},
           {"report", now, "--confidence", "0"},
           {"report", now, "--bound", "parse.cpp"},
           {"record", "1", "--every", "0s"},
           {"record", "no"},
           {"record", "999999999"},
           {"top", "no"},
           {"run"},
           {"run", "--", "/nonexistent/program"},
           {"nothing"},
           {}}) {
    std::vector<std::string> full = words;
    const bool advises = words.size() > 3 && words[0] == "report" && words[1] != now;
    if (advises) full.insert(full.end(), never.begin(), never.end());
    const ending done = run(full);
    all += "\n$ bast-stacks";
    for (const std::string& word : words) all += " " + word;
    all += "\n" + done.out + "--- " + std::to_string(done.status) + "\n" + done.error;
  }
  expect_whole("cli/whole/commands.txt", without_place(all, directory_.string()));
}

}  // namespace
}  // namespace bast_stacks
