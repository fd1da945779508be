// SPDX-License-Identifier: Apache-2.0
//
// Reading from a running program and writing to it, in coroutines, under each loop.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bast/process/child_pipes_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::alphabet;
using test::child;
using test::kind_of;

class ChildPipes : public test::child_pipes_test {};

INSTANTIATE_TEST_SUITE_P(Loops, ChildPipes, test::each_loop, test::name_of_loop);

TEST_P(ChildPipes, P16_AConversationGoesToAndFro) {
  in_coroutine([&] {
    auto c = child({"cat", "exit", "3"});
    auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}));
    for (const char* const line : {"one\n", "two\n", "three\n"}) {
      ASSERT_TRUE(runs.write(line));
      EXPECT_EQ(read_once(runs), line);
    }
    ASSERT_TRUE(runs.write("")) << "nothing is written at once";
    runs.close_input();
    runs.close_input();  // no effect
    EXPECT_EQ(read_once(runs), "") << "the end, and again";
    EXPECT_EQ(read_once(runs), "");
    const auto late = runs.write("x");
    EXPECT_TRUE(kind_of(late) == errc::closed || kind_of(late) == errc::stale_handle);
    const auto ended = runs.wait().value();
    EXPECT_EQ(ended.status.code, 3);
    EXPECT_EQ(ended.output.bytes.text(), "");
    EXPECT_EQ(ended.output.truncated, truncation::none);
    std::byte byte{};
    EXPECT_EQ(kind_of(runs.read(output_stream::output, {&byte, 1})), errc::stale_handle);
    EXPECT_EQ(kind_of(runs.write("x")), errc::stale_handle);
    runs.close_input();
  });
}

TEST_P(ChildPipes, P16_MoreThanAllPipesHoldPassesInBothDirectionsAtOnce) {
  const std::string text = alphabet(3 << 20);
  std::string came;
  in_coroutine([&] {
    auto c = child({"cat"});
    auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}));
    auto writer = pool_
                      .make([&] {
                        EXPECT_TRUE(runs.write(text));
                        runs.close_input();
                      })
                      .value();
    EXPECT_TRUE(writer.resume().parked()) << "the pipe is full before all of it is written";
    std::this_thread::sleep_for(20ms);  // Most likely the program has made room by now.
    EXPECT_EQ(kind_of(runs.write("x")), errc::busy);
    came = all_of(runs, output_stream::output, 10'000);
    EXPECT_EQ(runs.wait()->status.code, 0);
    EXPECT_TRUE(writer.returned());
  });
  EXPECT_TRUE(came == text) << came.size();
}

TEST_P(ChildPipes, P16_WhatIsReadAndTheResultAreTogetherAllBytes) {
  for (const std::size_t at_once : {1U, 7U, 4096U}) {
    in_coroutine([&] {
      auto c = child({"out", "30", "err", "40", "exit", "0"});
      auto runs = spawn(c.out(to::capture{}).err(to::pipe{}));
      std::vector<std::byte> buffer(at_once);
      const std::size_t taken = runs.read(output_stream::errors, buffer).value();
      const auto first = reinterpret_cast<const char*>(buffer.data());
      std::string errors(first, taken);
      const auto ended = runs.wait().value();
      errors += ended.errors.bytes.text();
      EXPECT_EQ(errors, alphabet(40));
      EXPECT_EQ(ended.output.bytes.text(), alphabet(30));
      EXPECT_EQ(ended.ended_by, process_ending::exited);
    });
  }
}

TEST_P(ChildPipes, P16_AfterTheEndTheRestIsStillRead) {
  auto c = child({"out", "100", "exit", "0"});
  auto runs = spawn(c.out(to::pipe{}));
  until_ended();
  ASSERT_TRUE(runs.has_ended());
  std::byte buffer[60];
  // Outside a coroutine.
  EXPECT_EQ(runs.read(output_stream::output, buffer), 60U);
  EXPECT_EQ(runs.read(output_stream::output, buffer), 40U);
  EXPECT_EQ(runs.read(output_stream::output, buffer), 0U);
  EXPECT_EQ(kind_of(runs.write("x")), errc::stale_handle);
  EXPECT_EQ(runs.wait()->status.code, 0);
}

TEST_P(ChildPipes, P16_AProgramWhosePipeIsNotReadWaits) {
  in_coroutine([&] {
    auto c = child({"out", "1000000", "exit", "0"});
    auto runs = spawn(c.out(to::pipe{}));
    std::byte first{};
    EXPECT_EQ(runs.read(output_stream::output, {&first, 1}), 1U);
    auto other = child({"exit", "0"});
    EXPECT_EQ(other.run(loop_->driver())->status.code, 0);
    EXPECT_FALSE(runs.has_ended());
    EXPECT_TRUE("a" + all_of(runs, output_stream::output, 999) == alphabet(1'000'000));
    const auto ended = runs.wait().value();
    EXPECT_EQ(ended.ended_by, process_ending::exited);
    EXPECT_EQ(ended.status.code, 0);
  });
}

TEST_P(ChildPipes, P16_ReadingMakesRoomUnderEachPolicy) {
  in_coroutine([&] {
    auto c = child({"out", "100", "cat", "out", "26", "exit", "0"});
    auto runs = spawn(c.in(from::pipe{}).out(to::capture{100_B, on_limit::error_and_kill}));
    std::string text;
    while (text.size() < 100) text += read_once(runs);
    runs.close_input();
    text += all_of(runs, output_stream::output);
    EXPECT_EQ(text, alphabet(126));
    EXPECT_EQ(runs.wait()->ended_by, process_ending::exited);
  });
}

TEST_P(ChildPipes, P17_AProgramThatReadsNoMoreIsAnErrorAndNoSignal) {
  // In a process of its own, whose SIGPIPE has its default action.
  EXPECT_EQ(test::in_child([&] {
              const auto loop = make_loop();
              ::signal(SIGPIPE, SIG_DFL);
              coro_pool pool = coro_pool::create().value();
              int status = 1;
              auto c =
                  pool.make([&] {
                        auto closes = child({"close", "0", "ready", "hang"});
                        auto runs =
                            closes.in(from::pipe{}).out(to::pipe{}).spawn(loop->driver()).value();
                        if (read_once(runs) != "ready\n") return void(status = 2);
                        const auto written = runs.write("hello");
                        if (kind_of(written) != errc::closed) return void(status = 3);
                        if (written.error().error_number() != EPIPE) return void(status = 4);
                        if (written.error().value() != 0) return void(status = 5);
                        status = 0;
                      })
                      .value();
              (void)c.resume();
              while (c.state() == coro_state::suspended) loop->turn();
              loop->shut_down();
              return status;
            }),
            0);
}

TEST_P(ChildPipes, P17_AWriterLearnsThatItsReaderIsGone) {
  in_coroutine([&] {
    const std::string text = alphabet(1 << 20);
    auto c = child({"ready", "hang"});
    auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}));
    EXPECT_EQ(read_once(runs), "ready\n");
    std::optional<result<void>> written;
    auto writer = pool_.make([&] { written = runs.write(text); }).value();
    EXPECT_TRUE(writer.resume().parked());
    ASSERT_TRUE(runs.stop());
    EXPECT_EQ(runs.wait()->ended_by, process_ending::cancelled);
    while (writer.state() == coro_state::suspended) loop_->turn();
    ASSERT_TRUE(written && !*written);
    EXPECT_TRUE(written->error() == errc::stale_handle || written->error() == errc::closed);
    EXPECT_EQ(written->error().value(), 65536) << "what the pipe held";
    EXPECT_STREQ(written->error().operation(), "child_process.write");
  });
}

}  // namespace
}  // namespace bast
