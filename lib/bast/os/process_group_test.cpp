// SPDX-License-Identifier: Apache-2.0
#include "bast/os/process_group.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bast/os/fault_injection.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

/// A forked process in `group` (0: a group of its own) that waits for its end.
pid_t member_of(pid_t group) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(120);
    for (;;) ::pause();
  }
  // Set by the parent, so that it holds from here on.
  EXPECT_EQ(::setpgid(pid, group), 0);
  return pid;
}

void await_zombie(pid_t pid) {
  siginfo_t info;
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
}

class ProcessGroup : public testing::Test {
 protected:
  void SetUp() override {
    if (test::emulated) GTEST_SKIP() << "qemu-user's /proc is the host's";
    leader_ = member_of(0);
  }
  void TearDown() override {
    if (leader_ < 0) return;
    ::kill(-leader_, SIGKILL);
    while (::waitpid(-leader_, nullptr, 0) > 0) {
    }
  }
  pid_t leader_ = -1;
};

TEST_F(ProcessGroup, P14_TheLeaderIsNoMemberAndAZombieIsNobody) {
  EXPECT_EQ(group_has_members(leader_), false);
  const pid_t other = member_of(leader_);
  EXPECT_EQ(group_has_members(leader_), true);
  ::kill(leader_, SIGKILL);
  await_zombie(leader_);
  EXPECT_EQ(group_has_members(leader_), true);
  ::kill(other, SIGSTOP);
  EXPECT_EQ(group_has_members(leader_), true) << "a stopped process is alive";
  ::kill(other, SIGKILL);
  await_zombie(other);
  EXPECT_EQ(group_has_members(leader_), false);
}

TEST_F(ProcessGroup, P14_WhoIsGoneWhenItIsLookedAtIsNobody) {
  (void)member_of(leader_);
  const struct {
    int error_number;
    bool found;
  } rows[] = {{ENOENT, false}, {ESRCH, false}, {EMFILE, true}, {EACCES, true}};
  for (const auto& row : rows) {
    // The first is /proc itself.
    const fault_scope fault({.kind = call::open, .nth = 2, .error_number = row.error_number});
    EXPECT_EQ(group_has_members(leader_), row.found) << row.error_number;
    EXPECT_EQ(fault.injected(), 1U);
  }
}

TEST_F(ProcessGroup, P14_WhereNobodyCanLookThatIsTheAnswer) {
  (void)member_of(leader_);
  const test::leak_baseline before;
  for (const auto kind : {call::open, call::read}) {
    const fault_scope fault({.kind = kind, .nth = 1, .error_number = EMFILE});
    const auto looked = group_has_members(leader_);
    ASSERT_FALSE(looked);
    EXPECT_EQ(looked.error().error_number(), EMFILE);
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_F(ProcessGroup, P12_OrphansOfTheGroupAreReapedAndNobodyElse) {
  const pid_t member = member_of(leader_);
  const pid_t running = member_of(leader_);
  const pid_t stranger = member_of(0);
  for (const pid_t pid : {leader_, member, stranger}) {
    ::kill(pid, SIGKILL);
    await_zombie(pid);
  }
  reap_orphans(leader_);
  siginfo_t info;
  const auto is_child = [&](pid_t pid) {
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
  };
  EXPECT_TRUE(is_child(leader_));
  EXPECT_FALSE(is_child(member));
  EXPECT_TRUE(is_child(running));
  EXPECT_TRUE(is_child(stranger));
  EXPECT_EQ(::waitpid(stranger, nullptr, 0), stranger);
}

TEST(AdoptsOrphans, P12_ASubreaperDoesAndItsChildrenDoNot) {
  if (test::emulated) GTEST_SKIP() << "qemu-user may not know subreapers";
  EXPECT_EQ(test::in_child([] {
              const bool before = adopts_orphans();
              if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || !adopts_orphans()) return 1;
              if (test::in_child([] { return adopts_orphans() ? 1 : 0; }) != 0) return 2;
              return before ? 3 : 0;
            }),
            0);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
