// SPDX-License-Identifier: Apache-2.0
#include "read/attach.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "read/open.hpp"
#include "read/testing/child.hpp"

namespace bast_stacks {
namespace {

using testing::child;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::test_program;

constexpr uid_t nobody = 65'534;

closed_door door() {
  closed_door made;
  made.pid = 42;
  made.error = EPERM;
  made.attempted = "process_vm_readv";
  made.owner = 1000;
  made.ours = 1000;
  return made;
}

TEST(Attach, BlamesNoRightWhenDescriptorsAreUsedUp) {
  closed_door used_up = door();
  used_up.error = EMFILE;
  EXPECT_EQ(explain(used_up).what, "cannot read process 42: process_vm_readv: Too many open files");
  EXPECT_THAT(explain(used_up).remedy, HasSubstr("ulimit -n"));
}

TEST(Attach, NamesTheDoorAndTheLineThatOpensIt) {
  closed_door other_user = door();
  other_user.owner = 1001;
  EXPECT_THAT(explain(other_user).what, HasSubstr("it belongs to user 1001, we are user 1000"));
  EXPECT_THAT(explain(other_user).remedy, HasSubstr("sudo -u '#1001'"));

  closed_door undumpable = door();
  undumpable.dumpable = false;
  EXPECT_THAT(explain(undumpable).what, HasSubstr("not dumpable"));
  EXPECT_THAT(explain(undumpable).remedy, HasSubstr("PR_SET_DUMPABLE"));

  closed_door yama = door();
  yama.scope = 1;
  EXPECT_THAT(explain(yama).what,
              HasSubstr("cannot read process 42: process_vm_readv: Operation not permitted"));
  EXPECT_THAT(explain(yama).what, HasSubstr("kernel.yama.ptrace_scope is 1"));
  EXPECT_THAT(explain(yama).remedy, HasSubstr("sysctl kernel.yama.ptrace_scope=0"));
  yama.scope = 2;
  EXPECT_THAT(explain(yama).remedy, HasSubstr("run as root"));
  yama.scope = 3;
  EXPECT_THAT(explain(yama).remedy, HasSubstr("bast-stacks run -- PROGRAM"));
  yama.scope = 0;
  EXPECT_THAT(explain(yama).remedy, HasSubstr("CAP_SYS_PTRACE"));
  yama.socket = "it does not listen";
  EXPECT_THAT(explain(yama).what, HasSubstr("it does not listen"));
  EXPECT_EQ(explain(yama).status, 3);
}

/// Runs `body` in a child that is nobody special, and takes its failures over.
template <class F>
void as_nobody(F body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0) ::_exit(77);
    body();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no right to be nobody";
  EXPECT_EQ(status, 0);
}

TEST(Attach, AnotherUsersProcessIsRefusedByName) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs two users";
  const pid_t parent = ::getpid();
  as_nobody([&] {
    const auto seen = open_process(parent, {});
    ASSERT_FALSE(seen);
    EXPECT_THAT(seen.error().what, HasSubstr("it belongs to user 0, we are user 65534"));
    EXPECT_EQ(seen.error().status, 3);
  });
}

TEST(Attach, TheSocketIsADoorOfItsOwn) {
  ::unsetenv("XDG_RUNTIME_DIR");
  child program(test_program({"listen", "5000", "40000"}));
  if (!program.ready()) GTEST_SKIP() << "it cannot listen here";
  as_nobody([&] {
    const auto seen = open_process(program.pid(), {});
    ASSERT_TRUE(seen) << seen.error().what << seen.error().remedy;
    EXPECT_EQ(seen->from, source_kind::live);
    ASSERT_EQ(seen->stacks.size(), 2U);
    EXPECT_FALSE(seen->stacks[0].scanned);
    EXPECT_EQ(seen->stacks[0].name, "worker");
    EXPECT_NE(seen->stacks[0].sp, 0U);
    EXPECT_THAT(seen->not_seen, Contains(HasSubstr("How deep live stacks are")));
  });
  EXPECT_EQ(program.wait(), 0);
}

}  // namespace
}  // namespace bast_stacks
