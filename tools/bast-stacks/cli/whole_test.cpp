// SPDX-License-Identifier: Apache-2.0
//
// What the program makes of its own option table, compared whole.
#include <gtest/gtest.h>

#include "cli/program_fixture.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

using test::expect_whole;

TEST_F(Program, HelpIsWhole) {
  std::string all = run({"--help"}).out;
  for (const char* command : {"run", "top", "record", "report", "recommend", "flame", "static",
                              "diff", "check", "export"}) {
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

}  // namespace
}  // namespace bast_stacks
