// SPDX-License-Identifier: Apache-2.0
#include "bast/os/fork_mark.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "bast/os/fault_injection.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/fresh_process.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

constexpr bool cannot_start_afresh = test::emulated || test::under_valgrind;

/// Checks inherited and new marks in a child and in its child.
int generations() {
  const fork_mark ours = fork_mark::here();
  if (ours.is_forked() || fork_mark::here().is_forked()) return 1;
  const int in_children = test::in_child([&] {
    if (!ours.is_forked()) return 2;
    const fork_mark childs = fork_mark::here();
    if (!ours.is_forked() || childs.is_forked()) return 3;
    return test::in_child([&] {
      if (!ours.is_forked() || !childs.is_forked()) return 4;
      return fork_mark::here().is_forked() ? 5 : 0;
    });
  });
  return in_children != 0 || !ours.is_forked() ? in_children : 6;
}

TEST(ForkMark, IO15_AMarkIsOfOneProcessAndOfNoChildOfIt) { EXPECT_EQ(generations(), 0); }

TEST(ForkMark, IO15_OneOfNoProcessIsNeverForked) {
  const fork_mark none;
  EXPECT_FALSE(none.is_forked());
  EXPECT_EQ(test::in_child([&] { return none.is_forked() ? 1 : 0; }), 0);
}

TEST(ForkMark, IO15_AChildOfTheRawCallIsNoticed) {
  if (test::emulated) GTEST_SKIP() << "qemu-user may grant MADV_WIPEONFORK and ignore it";
  const fork_mark ours = fork_mark::here();
  // A raw clone runs no handler of pthread_atfork.
  const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(ours.is_forked() ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(static_cast<pid_t>(child), &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(ours.is_forked());
}

TEST(ForkMark, IO15_WhereTheKernelRefusesThePageTheChildIsNoticedAllTheSame) {
  if (cannot_start_afresh) GTEST_SKIP() << "here a program cannot execute itself";
  for (const auto kind : {call::advise, call::map}) {
    test::expect_in_fresh_process([kind] {
      const fault_scope refused({.kind = kind, .nth = 1, .error_number = EINVAL});
      (void)fork_mark::here();
      return refused.injected() == 1 ? generations() : 7;
    });
  }
}

TEST(ForkMark, IO15_ThreadsThatAskFirstTogetherAgree) {
  if (cannot_start_afresh) GTEST_SKIP() << "here a program cannot execute itself";
  test::expect_in_fresh_process([] {
    std::vector<fork_mark> marks(4);
    std::vector<std::thread> threads;
    for (fork_mark& mark : marks) threads.emplace_back([&mark] { mark = fork_mark::here(); });
    for (std::thread& each : threads) each.join();
    for (const fork_mark& mark : marks) {
      if (mark.is_forked()) return 1;
    }
    return test::in_child([&marks] {
      for (const fork_mark& mark : marks) {
        if (!mark.is_forked()) return 2;
      }
      return 0;
    });
  });
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
