// SPDX-License-Identifier: Apache-2.0
//
// A program's own name, its directory and its terminal.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;

class SpawnNames : public test::spawn_test {
 protected:
  /// The output of a script, which must succeed.
  std::string says(command& c) {
    const auto ended = run(c.out(to::pipe{}));
    EXPECT_TRUE(ended.exited(0)) << ended;
    return ended.out;
  }
};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnNames, test::both_memories, test::memory_name);

TEST_P(SpawnNames, P1_TheFirstArgumentMayHaveAnotherName) {
  auto c = command::argv({"sh", "-c", "echo $0 $1", "a", "b"});
  EXPECT_EQ(says(c.argv0("login")), "a b\n") << "an argument of the shell, not argv[0]";
  auto d = command::argv({"/bin/sh"});
  d.argv0("-another name").in(from::bytes{"cat /proc/$$/cmdline | tr '\\0' '|'"});
  EXPECT_EQ(says(d), "-another name|");
}

TEST_P(SpawnNames, P1_ArgumentsMayComeFromAVectorOfStrings) {
  const std::vector<std::string> words = {"/bin/echo", "two  words", "", "x"};
  auto c = command::argv(words);
  EXPECT_EQ(says(c), "two  words  x\n");
}

TEST_P(SpawnNames, P2_PwdFollowsTheDirectory) {
  char here[PATH_MAX];
  ASSERT_NE(::getcwd(here, sizeof here), nullptr);
  const auto pwd = [&](command c) { return says(c.out(to::pipe{})); };
  const auto print = [] { return command::argv({"/usr/bin/env"}); };
  const auto has = [&](const std::string& environment, const std::string& line) {
    return ("\n" + environment).find("\n" + line + "\n") != std::string::npos;
  };
  EXPECT_TRUE(has(pwd(std::move(print().cwd("/usr/lib"))), "PWD=/usr/lib"));
  EXPECT_TRUE(has(pwd(std::move(print().cwd("."))), "PWD=" + std::string(here) + "/."));
  EXPECT_TRUE(has(pwd(std::move(print().cwd("/").env("PWD", "mine"))), "PWD=mine"));
  const std::string unset = pwd(std::move(print().cwd("/").unset_env("PWD")));
  EXPECT_EQ(("\n" + unset).find("\nPWD="), std::string::npos);
  const std::string cleared = pwd(std::move(print().cwd("/").clear_env().env("A", "1")));
  EXPECT_EQ(cleared, "A=1\n");
  // Exactly one, whatever ours is.
  ::setenv("PWD", "/stale", 1);
  const std::string once = "\n" + pwd(std::move(print().cwd("/usr")));
  ::unsetenv("PWD");
  EXPECT_EQ(once.find("\nPWD=/stale\n"), std::string::npos);
  EXPECT_NE(once.find("\nPWD=/usr\n"), std::string::npos);
}

/// A pseudoterminal: the typist's end, and the programs' end.
struct terminal {
  os::descriptor ours{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  os::descriptor theirs;

  terminal() {
    if (!ours || ::grantpt(ours.get()) != 0 || ::unlockpt(ours.get()) != 0) return;
    char name[128];
    if (::ptsname_r(ours.get(), name, sizeof name) != 0) return;
    theirs = os::descriptor(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  /// The output of the programs, until it contains `wanted`.
  std::string read_until(const std::string& wanted) const {
    std::string all;
    while (all.find(wanted) == std::string::npos) {
      pollfd wait{.fd = ours.get(), .events = POLLIN, .revents = 0};
      char some[256];
      if (::poll(&wait, 1, 30'000) != 1) break;
      const ssize_t size = ::read(ours.get(), some, sizeof some);
      if (size <= 0) break;
      all.append(some, static_cast<std::size_t>(size));
    }
    return all;
  }
};

TEST_P(SpawnNames, P11_ASessionMayHaveAControllingTerminal) {
  if (test::emulated) GTEST_SKIP() << "qemu-user's sessions are its own";
  const terminal tty;
  ASSERT_TRUE(tty.theirs);
  auto c = command::shell("echo through the terminal >/dev/tty");
  c.in(from::fd{tty.theirs.get()}).controlling_terminal();
  const auto ended = run(c);
  EXPECT_TRUE(ended.exited(0)) << ended;
  EXPECT_NE(tty.read_until("through the terminal").find("through the terminal"), std::string::npos);
}

TEST_P(SpawnNames, P11_ATerminalByItsPathDoesNotBecomeOurs) {
  if (test::emulated) GTEST_SKIP() << "qemu-user's sessions are its own";
  const terminal tty;
  ASSERT_TRUE(tty.theirs);
  char name[128];
  ASSERT_EQ(::ptsname_r(tty.ours.get(), name, sizeof name), 0);
  const int status = test::in_child([&] {
    if (::setsid() < 0) return 1;
    auto c = command::shell("exit 0");
    auto started = start(c.in(from::path{name}));
    if (!started || !test::finish(std::move(*started)).exited(0)) return 2;
    return ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) < 0 && errno == ENXIO ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
}

TEST_P(SpawnNames, P8_WhatIsNoTerminalIsNamed) {
  for (const bool session : {true, false}) {
    auto c = child({"exit", "0"});
    if (session) {
      c.controlling_terminal();
    } else {
      c.foreground();
    }
    ASSERT_FALSE(start(c));
    EXPECT_EQ(c.failure().stage, spawn_stage::terminal);
    EXPECT_EQ(c.failure().error_number, ENOTTY);
    text why;
    c.describe_failure(why);
    EXPECT_NE(why.view().find("(terminal): controlling_terminal or foreground: Inappropriate"),
              std::string_view::npos)
        << why.view();
  }
}

TEST_P(SpawnNames, P11_TheForegroundGroupReadsTheTerminal) {
  if (test::emulated) GTEST_SKIP() << "qemu-user's sessions are its own";
  const terminal tty;
  ASSERT_TRUE(tty.theirs);
  // A process that has this terminal, like a shell.
  const int status = test::in_child([&] {
    if (::setsid() < 0 || ::ioctl(tty.theirs.get(), TIOCSCTTY, 0) != 0) return 1;
    if (::write(tty.ours.get(), "typed\n", 6) != 6) return 2;
    auto c = command::shell("read line; echo \"$line\"");
    c.in(from::fd{tty.theirs.get()}).out(to::pipe{}).foreground();
    auto started = start(c);
    if (!started) return 3;
    if (::tcgetpgrp(tty.theirs.get()) != started->process.pid) return 4;
    const auto ended = test::finish(std::move(*started));
    return ended.exited(0) && ended.out == "typed\n" ? 0 : 5;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace bast
