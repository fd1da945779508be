// SPDX-License-Identifier: Apache-2.0
//
// The `combined` model is right about single programs, and programs run more than once.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bast/testing/random.hpp"
#include "model/combined_language.hpp"
#include "model/combined_model.hpp"
#include "model/lives.hpp"
#include "model/target.hpp"

namespace bast::model {
namespace {

program combined_program(const std::string& lines) {
  return parse("bast-ops 1 combined\n" + lines, combined_language).value();
}

/// The visible results of a program, without the lines that count.
std::vector<std::string> seen_of(const std::string& lines) {
  std::vector<std::string> all;
  run_settings how;
  how.trace = &all;
  EXPECT_EQ(run_combined(combined_program(lines), how).complaint, "");
  std::erase_if(all, [](const std::string& line) { return line.starts_with("pool"); });
  return all;
}

// A coroutine that waits for one process: bits 9 and 10 of its script.
const std::string waiter = " 512\n";

using texts = std::vector<std::string>;

TEST(Combined, P14_WhatIsReleasedOrAbandonedEndsItsProcess) {
  EXPECT_EQ(seen_of("start 0" + waiter + "exit 0 3\ntake 0\nrelease 0\n"),
            (texts{"parked", "run: exited 3 by exited, output 0+0 none, errors 0+0 none",
                   "returned 98", "done"}));
  if (BAST_EXCEPTIONS != 0) {
    EXPECT_EQ(seen_of("start 0" + waiter + "release 0\n"), (texts{"parked", "unwound 0", "done"}));
  }
  EXPECT_EQ(seen_of("start 0" + waiter + "abandon 0\n"), (texts{"parked", "done"}));
  // Its place is used again, and the end of the process wakes no coroutine there.
  EXPECT_EQ(seen_of("start 0" + waiter + "abandon 0\nstart 1" + waiter + "exit 0 3\nexit 1 4\n"),
            (texts{"parked", "done", "parked",
                   "run: exited 4 by exited, output 0+0 none, errors 0+0 none"}));
}

TEST(Combined, C5_CallbacksAndHooksRunNewestFirst) {
  // Bound to source 0, with a hook, and waiting for a process.
  const std::string bound = " 560\n";
  EXPECT_EQ(seen_of("source 0 0\nlisten 0 0\nstart 0" + bound + "listen 1 0\ncancel 0 0\n"),
            (texts{"parked", "callback 1: cancelled on request because cancelled on request from 0",
                   "callback 8: cancelled on request because cancelled on request from 0",
                   "callback 0: cancelled on request because cancelled on request from 0", "won",
                   "run: signalled 15 by cancelled, output 0+0 none, errors 0+0 none"}));
}

TEST(Combined, F12_TheHookOfAnAbandonedCoroutineDoesNotRun) {
  const std::string bound = " 560\n";
  EXPECT_EQ(seen_of("source 0 0\nlisten 0 0\nstart 0" + bound + "abandon 0\nstart 1" + waiter +
                    "cancel 0 0\nexit 1 4\n"),
            (texts{"parked", "done", "parked",
                   "callback 0: cancelled on request because cancelled on request from 0", "won",
                   "run: exited 4 by exited, output 0+0 none, errors 0+0 none"}));
}

TEST(Lives, F13_RandomProgramsLiveAgainAsTheyDidBefore) {
  auto random = test::random_numbers::of_this_test();
  warm_up();
  for (const target& t : targets()) {
    if (std::string_view(t.name) == "canary") continue;
    for (int i = 0; i < 10; ++i) {
      const program p = generate([&] { return random.next(); }, t.words, 1 + random.below(60));
      ASSERT_EQ(live(t, p, 2), "") << print(p, t.words);
    }
  }
}

TEST(Lives, ALifeThatIsNotAsTheOneBeforeIsToldOf) {
  static int lives = 0;
  lives = 0;
  const target changes{.name = "changes",
                       .words = combined_language,
                       .run = [](const program&, const run_settings& how) {
                         how.trace->push_back(++lives < 3 ? "same" : "other");
                         return run_result{};
                       }};
  EXPECT_EQ(live(changes, {}, 2), "") << "the third life is the first of those that are counted";
  lives = 0;
  EXPECT_EQ(live(changes, {}, 4), "life 3: F-13: it was: same; it is: other");
}

}  // namespace
}  // namespace bast::model
