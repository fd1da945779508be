// SPDX-License-Identifier: Apache-2.0
#include "read/attach.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "model/test_record_text.hpp"
#include "read/open.hpp"
#include "read/testing/child.hpp"

namespace bast_stacks {
namespace {

using testing::child;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::test_program;

constexpr uid_t nobody = 65'534;

refused_access refusal() {
  refused_access made;
  made.pid = 42;
  made.error = EPERM;
  made.attempted = "process_vm_readv";
  made.owner = 1000;
  made.ours = 1000;
  return made;
}

TEST(Attach, BlamesNoRightWhenDescriptorsAreUsedUp) {
  refused_access used_up = refusal();
  used_up.error = EMFILE;
  EXPECT_EQ(explain(used_up).what, "cannot read process 42: process_vm_readv: Too many open files");
  EXPECT_THAT(explain(used_up).remedy, HasSubstr("ulimit -n"));
}

TEST(Attach, NamesTheDoorAndTheLineThatOpensIt) {
  const std::string start = "3 cannot read process 42: process_vm_readv: Operation not permitted";
  const auto said = [](const std::function<void(refused_access&)>& change) {
    refused_access made = refusal();
    change(made);
    return test::record_text(explain(made));
  };
  const std::string of_user =
      " (it belongs to user 1001, we are user 1000) | sudo -u '#1001' "
      "bast-stacks ...";
  const std::string undumpable =
      " (it is not dumpable: it changed its user, or asked for it) | run as root, or call "
      "prctl(PR_SET_DUMPABLE, 1) in the program";
  const std::string forbidden =
      " (a security module, a seccomp filter or a user namespace forbids it) | run with "
      "CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), or start the program by bast-stacks run "
      "-- PROGRAM";
  EXPECT_EQ(said([](refused_access& d) { d.owner = 1001; }), start + of_user);
  EXPECT_EQ(said([](refused_access& d) { d.owner = 1001, d.scope = 1, d.dumpable = false; }),
            start + of_user);
  // Root counts as every user, and the owner may not be known.
  EXPECT_EQ(said([](refused_access& d) { d.owner = 1001, d.ours = 0; }), start + forbidden);
  EXPECT_EQ(said([](refused_access& d) { d.owner.reset(); }), start + forbidden);
  EXPECT_EQ(said([](refused_access& d) { d.dumpable = false, d.scope = 1; }), start + undumpable);
  EXPECT_EQ(said([](refused_access&) {}), start + forbidden);
  EXPECT_EQ(said([](refused_access& d) { d.scope = 0; }), start + forbidden);
  EXPECT_EQ(said([](refused_access& d) { d.scope = 1; }),
            start +
                " (kernel.yama.ptrace_scope is 1: only descendants may be read) | sudo sysctl "
                "kernel.yama.ptrace_scope=0, or call bast::watch::listener::create() in the "
                "program, or start it by bast-stacks run -- PROGRAM");
  EXPECT_EQ(said([](refused_access& d) { d.scope = 2; }),
            start +
                " (kernel.yama.ptrace_scope is 2: only root may read processes) | run as root, "
                "or start the program by bast-stacks run -- PROGRAM");
  for (const int scope : {3, 4}) {
    EXPECT_EQ(said([&](refused_access& d) { d.scope = scope; }),
              start +
                  " (kernel.yama.ptrace_scope is 3: no process may be read until a reboot) "
                  "| start the program by bast-stacks run -- PROGRAM");
  }
  EXPECT_EQ(said([](refused_access& d) { d.socket = "it does not listen"; }),
            start + "; it does not listen" + forbidden);
  for (const int used_up : {EMFILE, ENFILE}) {
    EXPECT_EQ(said([&](refused_access& d) { d.error = used_up, d.socket = "not asked"; }),
              fmt::format("3 cannot read process 42: process_vm_readv: {} | ulimit -n 65536, where "
                          "the hard limit allows it",
                          std::strerror(used_up)));
  }
}

TEST(Attach, SaysThatThereIsNoProcess) {
  for (const pid_t none : {0, -1, -::getpid(), 0x7fff'ffff})
    EXPECT_EQ(test::error_text(attach(none)), fmt::format("3 there is no process {}", none));
  const auto own = attach(::getpid());
  ASSERT_TRUE(own);
  EXPECT_FALSE(own->anchor);
  EXPECT_TRUE(own->not_seen.empty());
  EXPECT_THAT(own->program, HasSubstr("bast_stacks_read_test"));
}

/// Runs `body` in an unprivileged child, and reports its failures.
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
    EXPECT_THAT(seen->not_seen, Contains(HasSubstr("The depth of live stacks")));
  });
  EXPECT_EQ(program.wait(), 0);
}

}  // namespace
}  // namespace bast_stacks
