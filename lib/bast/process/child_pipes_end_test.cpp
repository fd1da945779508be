// SPDX-License-Identifier: Apache-2.0
//
// How reading and writing end: tokens, owners, released coroutines, other threads, failing calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

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

class ChildPipesEnd : public test::child_pipes_test {};

INSTANTIATE_TEST_SUITE_P(Loops, ChildPipesEnd, test::each_loop, test::name_of_loop);

TEST_P(ChildPipesEnd, C12_ACancelledReaderStopsAndTheProgramGoesOn) {
  const cancel_source source = cancel_source::create().value();
  auto c = child({"cat", "exit", "4"});
  auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}));
  const std::string text = alphabet(1 << 20);
  std::optional<result<std::size_t>> read;
  std::optional<result<void>> written;
  auto reader =
      pool_
          .make([&] {
            const cancel_binding bound(source.token());
            std::byte byte{};
            read = runs.read(output_stream::output, {&byte, 1});
            EXPECT_EQ(kind_of(runs.read(output_stream::output, {&byte, 1})), errc::cancelled);
          })
          .value();
  ASSERT_TRUE(reader.resume().parked());
  auto second =
      pool_
          .make([&] {
            std::byte byte{};
            EXPECT_EQ(kind_of(runs.read(output_stream::output, {&byte, 1})), errc::busy);
            EXPECT_EQ(kind_of(runs.read(output_stream::errors, {&byte, 1})), errc::bad_state);
            EXPECT_EQ(kind_of(runs.read(output_stream::output, {})), errc::invalid);
          })
          .value();
  ASSERT_TRUE(second.resume().finished());
  std::thread([&] { source.cancel(); }).join();
  while (reader.state() == coro_state::suspended) loop_->turn();
  EXPECT_EQ(kind_of(*read), errc::cancelled);
  EXPECT_FALSE(runs.has_ended());
  // The same for a writer; afterwards others go on.
  const cancel_source other = cancel_source::create().value();
  auto writer = pool_
                    .make([&] {
                      const cancel_binding bound(other.token());
                      written = runs.write(text);
                    })
                    .value();
  ASSERT_TRUE(writer.resume().parked());
  other.cancel();
  while (writer.state() == coro_state::suspended) loop_->turn();
  EXPECT_EQ(kind_of(*written), errc::cancelled);
  const auto count = static_cast<std::size_t>(written->error().value().value());
  EXPECT_GE(count, 65536U);
  in_coroutine([&] {
    runs.close_input();
    EXPECT_TRUE(all_of(runs, output_stream::output, 5000) == text.substr(0, count));
    EXPECT_EQ(runs.wait()->status.code, 4);
  });
}

TEST_P(ChildPipesEnd, P13_ReadersEndWithTheirOwner) {
  in_coroutine([] {});  // The pool maps its stacks once.
  const test::leak_baseline before;
  for (const bool detaches : {false, true}) {
    auto c = child({"cat", "exit", "5"});
    auto runs = std::make_unique<child_process>(spawn(c.in(from::pipe{}).out(to::pipe{})));
    std::optional<result<std::size_t>> read;
    auto reader = pool_
                      .make([&] {
                        std::byte byte{};
                        read = runs->read(output_stream::output, {&byte, 1});
                      })
                      .value();
    ASSERT_TRUE(reader.resume().parked());
    if (detaches) runs->detach();
    runs.reset();
    while (reader.state() == coro_state::suspended) loop_->turn();
    EXPECT_EQ(*read, 0U) << "the end of the stream";
    until_ended();
  }
  EXPECT_EQ(before.differences(), "") << "the reader was its last user";
}

TEST_P(ChildPipesEnd, P13_WhoTakesTheResultEndsTheReaders) {
  auto c = child({"cat", "exit", "6"});
  auto runs = std::make_unique<child_process>(spawn(c.in(from::pipe{}).out(to::pipe{})));
  std::string order;
  auto waits = pool_
                   .make([&] {
                     EXPECT_EQ(runs->wait()->status.code, 6);
                     order += 'w';
                   })
                   .value();
  ASSERT_TRUE(waits.resume().parked());
  auto reads = pool_
                   .make([&] {
                     std::byte byte{};
                     const auto read = runs->read(output_stream::output, {&byte, 1});
                     EXPECT_TRUE(!read ? kind_of(read) == errc::stale_handle : *read == 0);
                     order += 'r';
                   })
                   .value();
  ASSERT_TRUE(reads.resume().parked());
  runs->close_input();
  until_ended();
  std::ranges::sort(order);
  EXPECT_EQ(order, "rw");
}

TEST_P(ChildPipesEnd, F12_AReleasedReaderLeavesTheChildToOthers) {
  auto c = child({"cat", "exit", "5"});
  auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}));
  const std::string text = alphabet(1 << 20);
  for (const bool writes : {false, true}) {
    auto job = pool_
                   .make([&] {
                     std::byte byte{};
                     if (writes) (void)runs.write(text);
                     (void)runs.read(output_stream::output, {&byte, 1});
                   })
                   .value();
    ASSERT_TRUE(job.resume().parked());
    ASSERT_TRUE(job.release(abandon));
  }
  in_coroutine([&] {
    runs.close_input();
    EXPECT_TRUE(text.starts_with(all_of(runs, output_stream::output, 5000)));
    EXPECT_EQ(runs.wait()->status.code, 5);
  });
}

TEST_P(ChildPipesEnd, P13_DetachedItsPipesAreClosed) {
  in_coroutine([&] {
    auto c = child({"drain", "ignore", std::to_string(SIGPIPE), "out", "1000000", "exit", "0"});
    auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}));
    runs.detach();
    const auto written = runs.write("x");
    EXPECT_EQ(kind_of(written), errc::stale_handle);
    EXPECT_EQ(written.error().value(), 0);
    EXPECT_EQ(read_once(runs),
              "child_process.read: stale handle: it was waited for, detached or moved from");
  });
  until_ended();
  EXPECT_EQ(loop_->machine().stats().finished, 1U) << "nothing kept it";
}

TEST_P(ChildPipesEnd, P13_OneThatWritesWithoutEndIsDetachedWhileItIsRead) {
  in_coroutine([&] {
    auto c = child({"out", "1000000000"});
    auto runs = spawn(c.out(to::pipe{}));
    EXPECT_FALSE(read_once(runs).empty());
    runs.detach();
  });
  until_ended();  // SIGPIPE ends it.
  EXPECT_EQ(loop_->machine().stats().finished, 1U);
}

TEST_P(ChildPipesEnd, P13_AfterTheExitAnOwnerMayEndWhileAGrandchildHoldsThePipe) {
  for (const bool detaches : {false, true}) {
    auto c = command::shell("sleep 0.2 & exit 0");
    auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}).drain_grace(10s));
    const pid_t pid = runs.pid();
    while (::kill(pid, 0) == 0) loop_->turn();
    EXPECT_FALSE(runs.has_ended()) << "its stream has not";
    if (detaches) runs.detach();
    runs = child_process();
    until_ended();
  }
}

TEST_P(ChildPipesEnd, P13_AReaderDoesNotKeepAnEndedProgramAlive) {
  in_coroutine([&] {
    auto c = command::shell("(while echo late; do sleep 0.02; done) & exit 0");
    auto runs = spawn(c.out(to::pipe{}).drain_grace(100ms));
    EXPECT_THAT(all_of(runs, output_stream::output), testing::StartsWith("late"));
    const auto ended = runs.wait().value();
    EXPECT_EQ(ended.output.truncated, truncation::grandchild);
    EXPECT_TRUE(ended.status.success());
  });
}

TEST_P(ChildPipesEnd, IO16_AnotherThreadMayNotReadOrWrite) {
  auto c = child({"cat"});
  auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}));
  std::thread([&] {
    std::byte byte{};
    EXPECT_EQ(kind_of(runs.read(output_stream::output, {&byte, 1})), errc::wrong_thread);
    EXPECT_EQ(kind_of(runs.write("x")), errc::wrong_thread);
    runs.close_input();  // no effect
  }).join();
  std::byte byte{};
  EXPECT_EQ(kind_of(runs.read(output_stream::output, {&byte, 1})), errc::not_in_fiber);
  EXPECT_EQ(kind_of(runs.write(alphabet(1 << 20))), errc::not_in_fiber);
}

TEST_P(ChildPipesEnd, P6_NothingIsLeft) {
  const auto converse = [&] {
    for (const bool ends : {false, true}) {
      auto c = child({"cat"});
      auto runs = spawn(c.in(from::pipe{}).out(to::pipe{}).err(to::pipe{}));
      EXPECT_TRUE(runs.write("x"));
      EXPECT_EQ(read_once(runs), "x");
      if (ends) {
        runs.close_input();
        EXPECT_TRUE(runs.wait());
      }
    }
  };
  in_coroutine(converse);  // The pool maps its stacks once.
  until_ended();
  const test::leak_baseline before;
  in_coroutine(converse);
  until_ended();
  EXPECT_EQ(before.differences(), "");
}

TEST(ChildPipesWithoutALoop, X6_EachCallMayFail) {
  if (test::emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  const auto loop = test::for_each_failing_call([](test::injection& faults) {
    std::string complaint;
    const auto created = epoll_adapter::create({.processes_max = 2});
    auto pool = coro_pool::create();
    if (!created || !pool) return complaint;
    epoll_adapter& adapter = **created;
    auto c = pool->make([&] {
      auto cat = child({"cat"});
      auto runs = cat.in(from::pipe{}).out(to::pipe{}).spawn(adapter);
      if (!runs) return;
      const auto written = runs->write("hello");
      if (!written && written.error().operation() == nullptr) complaint = "unclear";
      runs->close_input();
      std::string text;
      std::byte buffer[3];
      for (;;) {
        const auto count = runs->read(output_stream::output, buffer);
        if (count.value_or(0) == 0) break;
        text.append(reinterpret_cast<const char*>(buffer), *count);
      }
      if (written && text != "hello") complaint = "read: " + text;
    });
    if (c) {
      const auto step = c->resume();
      faults.end();
      if (!step.failed()) {
        while (!adapter.idle()) (void)adapter.turn(1h);
        if (c->state() != coro_state::finished) complaint = "it still waits";
      }
    }
    faults.end();
    return complaint;
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

}  // namespace
}  // namespace bast
