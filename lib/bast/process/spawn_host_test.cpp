// SPDX-License-Identifier: Apache-2.0
//
// Starts under difficult conditions: a coroutine, many threads, a host that ignores SIGCHLD.
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
  // At every depth: at one of them the calls would end just below the open part.
  for (std::size_t depth = 0; depth < 32768; depth += 512) {
    result<internal::spawned> started;
    auto c = child({"say", "from a coroutine"});
    c.out(to::pipe{});
    auto coroutine = pool->acquire();
    ASSERT_TRUE(coroutine);
    const auto step = coroutine->start([&] {
      auto* const hole = static_cast<volatile char*>(__builtin_alloca(depth + 1));
      hole[depth] = 1;
      started = start(c);
    });
    ASSERT_FALSE(step.failed());
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_EQ(test::finish(std::move(*started)).out, "from a coroutine\n");
  }
}

TEST_P(SpawnHost, P12_AHostThatIgnoresItsChildren) {
  const test::disposition ignored(SIGCHLD, SIG_IGN);
  auto fine = child({"say", "here"});
  auto started = start(fine.out(to::pipe{}));
  ASSERT_TRUE(started) << started.error().message();
  test::ended into;
  test::read_both(started->stdout_pipe.get(), -1, into);
  EXPECT_EQ(into.out, "here\n");
  // The kernel reaps the child, and the status is lost; the pidfd still reports the end.
  pollfd polled = {.fd = started->process.pidfd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&polled, 1, -1), 1);
  const auto told = os::wait_process(started->process.pidfd.get(), WEXITED);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().error_number(), ECHILD);
  *started = {};
  // A failure is reported and cleaned up all the same.
  const test::leak_baseline before;
  auto missing = command::argv({"/nonexistent"});
  EXPECT_EQ(run(missing).failure->error_number(), ENOENT);
  EXPECT_EQ(before.differences(), "");
}

/// Under a constant stream of signals, none of our handlers runs in the memory that a child
/// borrows.
int start_under_fire() {
  static volatile pid_t ours;
  static std::atomic<int> strangers;
  ::setpgid(0, 0);
  ours = ::getpid();
  const test::disposition counted(SIGUSR1, [](int) { strangers += ::getpid() != ours; });
  std::atomic<bool> done{false};
  std::thread fire([&] {
    while (!done) ::kill(0, SIGUSR1);
  });
  int failures = 0;
  for (int i = 0; i < 300; ++i) {
    auto c = child({"exit", "0"});
    const auto ended = test::run(c.same_group());
    // The program itself dies of the signal: its disposition is the default.
    failures += ended.failure.has_value();
  }
  done = true;
  fire.join();
  if (failures != 0) return 1;
  return strangers == 0 ? 0 : 2;
}

TEST(SpawnSignals, P7_NoHandlerOfOursRunsInTheChild) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(start_under_fire());
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

/// A child at the gate whose parent dies, or gives up, does nothing and ends.
TEST(SpawnGate, P9_AChildThatIsNotLetThroughDoesNothing) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind has no pidfd_open";
  auto gate = os::make_pipe();
  auto report = os::make_pipe();
  ASSERT_TRUE(gate && report);
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};
  internal::descriptor_move moves[] = {{0, 0}, {1, 1}, {2, 2}};
  internal::child_plan plan;
  plan.program = name;
  plan.arguments = arguments;
  plan.environment = environment;
  plan.moves = moves;
  plan.move_count = 3;
  plan.report = report->write_end.get();
  plan.gate[0] = gate->read_end.get();
  plan.gate[1] = gate->write_end.get();
  constexpr std::size_t stack_bytes = 64 << 10;
  std::byte* const stack = os::map(stack_bytes).value();
  auto child = os::start_process(os::process_memory::copied, internal::child_main, &plan,
                                 stack + stack_bytes);
  ASSERT_TRUE(child);
  gate->read_end.reset();
  gate->write_end.reset();
  const auto pidfd = os::open_pidfd(child->pid);
  ASSERT_TRUE(pidfd);
  const auto told = os::wait_process(pidfd->get(), WEXITED);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->status, 127) << "it became the program";
  os::release(stack, stack_bytes);
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
        c.in(from::bytes{word}).out(to::pipe{}).err(to::pipe{});
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
  // Mappings are not compared: the heap keeps one arena per thread.
  EXPECT_EQ(test::process_counts::now().fds, before.fds);
  EXPECT_TRUE(test::has_no_child());
}

}  // namespace
}  // namespace bast
