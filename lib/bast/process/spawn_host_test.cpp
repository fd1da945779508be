// SPDX-License-Identifier: Apache-2.0
//
// Starting from where it is awkward: a coroutine, many threads, a host that ignores SIGCHLD.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using namespace bast::literals;
using test::child;

class SpawnHost : public test::spawn_test {};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnHost, test::both_memories, test::memory_name);

TEST_P(SpawnHost, D3_ACoroutinesStackIsOpenBeforeFaultsAreBlocked) {
  auto pool = coro_pool::create({.stack = {.limit = 64_KiB, .window = 4_KiB}});
  ASSERT_TRUE(pool) << pool.error().message();
  // Any depth: somewhere the calls would end just below what is open.
  for (std::size_t depth = 0; depth < 32768; depth += 512) {
    result<internal::spawned> started;
    auto c = child({"say", "from a coroutine"});
    c.stdout_pipe();
    auto coroutine = pool->acquire();
    ASSERT_TRUE(coroutine);
    const auto step = coroutine->start([&] {
      auto* const hole = static_cast<volatile char*>(__builtin_alloca(depth + 1));
      hole[depth] = 1;
      started = start(c);
    });
    ASSERT_TRUE(step);
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_EQ(test::finish(*started).out, "from a coroutine\n");
  }
}

TEST_P(SpawnHost, P12_AHostThatIgnoresItsChildren) {
  const test::disposition ignored(SIGCHLD, SIG_IGN);
  auto fine = child({"say", "here"});
  const auto started = start(fine.stdout_pipe());
  ASSERT_TRUE(started) << started.error().message();
  test::ended into;
  test::read_both(started->stdout_pipe, -1, into);
  EXPECT_EQ(into.out, "here\n");
  // The kernel reaps by itself, and the status is lost; the pidfd still tells of the end.
  pollfd polled = {.fd = started->pidfd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&polled, 1, -1), 1);
  const auto told = os::wait_process(started->pidfd, WEXITED);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().error_number(), ECHILD);
  os::close_descriptor(started->pidfd);
  // A failure is reported and cleaned up all the same.
  const test::leak_baseline before;
  auto missing = command::argv({"/nonexistent"});
  EXPECT_EQ(run(missing).failure->error_number(), ENOENT);
  EXPECT_EQ(before.differences(), "");
}

TEST(SpawnThreads, P6_ManyStartsAtOnceShareNothing) {
  constexpr int threads = 4;
  constexpr int starts = 50;
  const auto before = test::process_counts::now();
  std::atomic<int> wrong{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      for (int i = 0; i < starts; ++i) {
        const std::string word = std::to_string(t) + "." + std::to_string(i);
        auto c = i % 5 == 4 ? command::argv({"/nonexistent"}) : child({"cat", "say", word, "fds"});
        c.stdin_bytes(word).stdout_pipe().stderr_pipe();
        const auto ended = test::run(c);
        if (i % 5 == 4) {
          wrong += !ended.failure || ended.failure->error_number() != ENOENT;
        } else {
          const auto lines = std::count(ended.out.begin(), ended.out.end(), '\n');
          wrong += !ended.exited(0) || !ended.out.starts_with(word + word + "\n") || lines != 4;
        }
      }
    });
  }
  for (auto& thread : all) thread.join();
  EXPECT_EQ(wrong, 0);
  // Mappings are not compared: the heap keeps one arena for each thread.
  EXPECT_EQ(test::process_counts::now().fds, before.fds);
  EXPECT_TRUE(test::has_no_child());
}

}  // namespace
}  // namespace bast
