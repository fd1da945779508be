// SPDX-License-Identifier: Apache-2.0
//
// Other settings of a child: group, session, limits, ids (P-7, P-11).
#include <grp.h>
#include <gtest/gtest.h>

#include "bast/testing/emulation.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;
using test::keyed;

class SpawnOptions : public test::spawn_test {
 protected:
  std::map<std::string, std::string> ids_of(command& c) {
    const auto ended = run(c.out(to::pipe{}));
    EXPECT_TRUE(ended.exited(0)) << ended;
    return keyed(ended.out);
  }
};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnOptions, test::both_memories, test::memory_name);

TEST_P(SpawnOptions, P11_AGroupOfItsOwnByDefault) {
  auto c = child({"ids"});
  auto ids = ids_of(c);
  EXPECT_EQ(ids["pgid"], ids["pid"]);
  EXPECT_EQ(ids["sid"], std::to_string(::getsid(0)));
  EXPECT_EQ(ids["ppid"], std::to_string(::getpid()));
  EXPECT_EQ(ids["pdeathsig"], "0");
}

TEST_P(SpawnOptions, P11_OurGroupWhenAskedFor) {
  auto c = child({"ids"});
  EXPECT_EQ(ids_of(c.same_group())["pgid"], std::to_string(::getpgrp()));
}

TEST_P(SpawnOptions, P7_ASessionOfItsOwn) {
  auto c = child({"ids"});
  auto ids = ids_of(c.new_session());
  EXPECT_EQ(ids["sid"], ids["pid"]);
  EXPECT_EQ(ids["pgid"], ids["pid"]);
}

TEST_P(SpawnOptions, P11_TheCallerLearnsWhoseGroupItIs) {
  for (const bool own : {true, false}) {
    auto c = child({"exit", "0"});
    if (!own) c.same_group();
    auto started = start(c);
    ASSERT_TRUE(started);
    EXPECT_EQ(started->process.leads_group, own);
    EXPECT_TRUE(test::finish(std::move(*started)).exited(0));
  }
}

TEST_P(SpawnOptions, P7_UmaskAndLimitsAreTheChildsOnly) {
  const mode_t before = ::umask(022);
  rlimit ours{};
  ::getrlimit(RLIMIT_NOFILE, &ours);
  auto c = child({"ids", "limit", "7", "limit", "4"});
  c.umask(0127).limit(RLIMIT_NOFILE, 64, 65).limit(RLIMIT_CORE, 0, 0).out(to::pipe{});
  const auto ended = run(c);
  ASSERT_TRUE(ended.exited(0)) << ended;
  EXPECT_NE(ended.out.find("umask 127\n64 65\n0 0\n"), std::string::npos) << ended.out;
  static_assert(RLIMIT_NOFILE == 7 && RLIMIT_CORE == 4);
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  EXPECT_EQ(now.rlim_cur, ours.rlim_cur);
  EXPECT_EQ(::umask(before), 022U);
}

TEST_P(SpawnOptions, P8_ARefusedLimitIsNamedByItsStage) {
  auto c = child({"exit", "0"});
  const auto ended = run(c.limit(RLIMIT_NOFILE, 65, 64));
  ASSERT_TRUE(ended.failure);
  EXPECT_EQ(ended.failure->error_number(), EINVAL);
  EXPECT_EQ(c.failure().stage, spawn_stage::limits);
}

TEST_P(SpawnOptions, P7_AnotherUserHasNothingOfRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const gid_t ours[] = {0, 5, 6};
  ASSERT_EQ(::setgroups(3, ours), 0);
  auto c = test::child_as_anybody({"ids"});
  auto ids = ids_of(c.user(65534).group(65533));
  for (const char* const name : {"uid", "euid", "suid"}) EXPECT_EQ(ids[name], "65534");
  for (const char* const name : {"gid", "egid", "sgid"}) EXPECT_EQ(ids[name], "65533");
  EXPECT_EQ(ids["groups"], "") << "supplementary groups must go with the user";
  EXPECT_EQ(::getuid(), 0U) << "ours are untouched";
}

TEST_P(SpawnOptions, P7_GroupsAreThoseThatWereNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can choose groups";
  const gid_t chosen[] = {7, 8, 9};
  auto c = test::child_as_anybody({"ids"});
  EXPECT_EQ(ids_of(c.user(65534).groups(chosen))["groups"], "7 8 9");
  auto d = child({"ids"});
  EXPECT_EQ(ids_of(d.groups({}))["groups"], "");
}

TEST_P(SpawnOptions, P7_TheDeathSignalOutlivesTheChangeOfUser) {
  auto c = test::child_as_anybody({"ids"});
  c.parent_death_signal(SIGTERM);
  if (::geteuid() == 0) c.user(65534);
  EXPECT_EQ(ids_of(c)["pdeathsig"], std::to_string(SIGTERM));
}

/// An intermediate process starts the child and dies; the child reports its own end through a pipe.
TEST_P(SpawnOptions, P7_TheDeathOfTheParentReachesTheChild) {
  if (test::emulated) GTEST_SKIP() << "qemu-user's threads are not the kernel's";
  auto pipe = os::make_pipe();
  ASSERT_TRUE(pipe);
  const int told = pipe->write_end.get();
  const pid_t between = ::fork();
  if (between == 0) {
    auto c = child({"hang"});
    c.parent_death_signal(SIGKILL).pass_fd(told, 9);
    ::_exit(start(c) ? 0 : 1);
  }
  pipe->write_end.reset();
  int status = -1;
  ASSERT_EQ(::waitpid(between, &status, 0), between);
  EXPECT_EQ(status, 0);
  // The end comes when the child is gone: it holds the only writer, and blocks.
  std::byte byte{};
  EXPECT_EQ(os::read_some(pipe->read_end.get(), {&byte, 1}), 0U);
}

TEST_P(SpawnOptions, P8_RefusedIdsAreNamedByTheirStage) {
  const auto attempt = [&] {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 1;
    auto c = child({"exit", "0"});
    const auto ended = run(c.user(0));
    if (!ended.failure) return 2;
    if (ended.failure->error_number() != EPERM) return 3;
    return c.failure().stage == spawn_stage::ids ? 0 : 4;
  };
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(attempt());
  int status = -1;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

}  // namespace
}  // namespace bast
