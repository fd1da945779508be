// SPDX-License-Identifier: Apache-2.0
//
// Each call of the child before the program runs, refused by the kernel: the reported stage and
// errno, what is left, and the fallbacks for a missing call (P-6, P-8, P-9).
#include <gtest/gtest.h>

#include <string>

#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/refused_calls.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;
using test::refused_call;

/// The output of `body`, run in its own process.
template <class Body>
std::string said_by_child(Body body) {
  auto pipe = os::make_pipe();
  if (!pipe) return "no pipe";
  const int status = test::in_child([&] {
    const std::string text = body();
    (void)os::write_some(pipe->write_end.get(), std::as_bytes(std::span(text)));
    return 0;
  });
  if (status != 0) return "status " + std::to_string(status);
  pipe->write_end.reset();
  char text[4096];
  const auto size = os::read_some(pipe->read_end.get(), std::as_writable_bytes(std::span(text)));
  return size ? std::string(text, *size) : "nothing";
}

/// By trying: listing them may be refused, too.
int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0;
  return count;
}

class SpawnRefused : public test::spawn_test {
 protected:
  void SetUp() override {
    spawn_test::SetUp();
    if (test::emulated || test::under_valgrind) GTEST_SKIP() << "no seccomp here";
  }
  /// The end of a start if these calls are refused: "<stage> <errno> <detail>", or the program's
  /// exit code and output; then what is left over.
  template <class Set>
  std::string start_refusing(std::span<const refused_call> calls, Set set) {
    return said_by_child([&]() -> std::string {
      // The last way to mark foreign descriptors tries every number.
      const rlimit few{.rlim_cur = 1024, .rlim_max = 1024};
      if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return "no limit";
      const int before = open_descriptors();
      if (!test::refuse_calls(calls)) return "no seccomp";
      command c = set();
      const auto ended = run(c);
      std::string out;
      if (ended.failure) {
        out = std::string(name_of(c.failure().stage)) + " " +
              std::to_string(c.failure().error_number) + " " + ended.failure->detail();
        if (ended.failure->error_number() != c.failure().error_number) out += " (two errnos)";
      } else {
        out = "exit " + std::to_string(ended.status) + " " + ended.out;
      }
      if (open_descriptors() != before) out += " (descriptors left)";
      if (!test::has_no_child()) out += " (a child left)";
      return out;
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnRefused, test::both_memories, test::memory_name);

struct refused_case {
  refused_call call;
  command& (*set)(command&);
  std::string expected;
};

TEST_P(SpawnRefused, P8_EachCallOfTheChildIsNamedByItsStage) {
  const std::string descriptors = " a descriptor could not be given to the child";
  const std::string group = " setpgid or setsid refused";
  const std::string ids = " setgroups, setresgid or setresuid refused";
  const auto words = [](const char* stage, int number, const std::string& detail) {
    return std::string(stage) + " " + std::to_string(number) + detail;
  };
  const refused_case all[] = {
      {{SYS_dup3, EBUSY},
       [](command& c) -> command& { return c; },
       words("descriptors", EBUSY, descriptors)},
      {{SYS_fcntl, EMFILE, F_DUPFD_CLOEXEC},
       [](command& c) -> command& { return c.out(to::fd{2}).err(to::fd{1}); },
       words("descriptors", EMFILE, descriptors)},
      {{SYS_fcntl, EMFILE, F_DUPFD_CLOEXEC},
       [](command& c) -> command& {
         for (int theirs = 3; theirs < 60; ++theirs) c.pass_fd(0, theirs);
         return c;
       },
       words("descriptors", EMFILE, descriptors)},
      {{SYS_fcntl, EIO, F_SETFD},
       [](command& c) -> command& { return c.in(from::inherit{}); },
       words("descriptors", EIO, descriptors)},
      {{SYS_setpgid, EPERM},
       [](command& c) -> command& { return c; },
       words("group", EPERM, group)},
      {{SYS_setsid, EACCES},
       [](command& c) -> command& { return c.new_session(); },
       words("group", EACCES, group)},
      {{SYS_prlimit64, EPERM},
       [](command& c) -> command& { return c.limit(RLIMIT_CORE, 0, 0); },
       words("limits", EPERM, " prlimit refused a limit")},
      {{SYS_setgroups, EPERM},
       [](command& c) -> command& { return c.groups({}); },
       words("ids", EPERM, ids)},
      {{SYS_setresgid, EINVAL},
       [](command& c) -> command& { return c.group(::getgid()); },
       words("ids", EINVAL, ids)},
      {{SYS_setresuid, EAGAIN},
       [](command& c) -> command& { return c.user(::getuid()); },
       words("ids", EAGAIN, ids)},
      {{SYS_prctl, EINVAL, PR_SET_PDEATHSIG},
       [](command& c) -> command& { return c.parent_death_signal(SIGTERM); },
       words("parent_death", EINVAL, " prctl refused the signal")},
      {{SYS_chdir, EIO},
       [](command& c) -> command& { return c.cwd("/"); },
       words("chdir", EIO, " the working directory cannot be entered")},
      {{SYS_execve, ETXTBSY},
       [](command& c) -> command& { return c; },
       words("exec", ETXTBSY, " the program cannot be executed")},
  };
  for (const auto& [call, set, expected] : all) {
    const auto said = start_refusing(std::span(&call, 1), [&configure = set] {
      auto c = child({"exit", "0"});
      configure(c);
      return c;
    });
    EXPECT_EQ(said, expected) << "call " << call.number;
  }
}

TEST_P(SpawnRefused, P7_CallsThatNobodyAskedForAreNotMade) {
  const refused_call all[] = {{SYS_setpgid, EPERM},   {SYS_setsid, EPERM},
                              {SYS_prlimit64, EPERM}, {SYS_setgroups, EPERM},
                              {SYS_setresgid, EPERM}, {SYS_setresuid, EPERM},
                              {SYS_chdir, EPERM},     {SYS_prctl, EPERM, PR_SET_PDEATHSIG}};
  const auto said = start_refusing(all, [] {
    auto c = child({"exit", "5"});
    c.same_group();
    return c;
  });
  EXPECT_EQ(said, "exit 5 ");
}

TEST_P(SpawnRefused, P7_OnlyRootDropsItsGroupsUnasked) {
  const auto to_ourselves = [] {
    auto c = child({"exit", "5"});
    c.user(::getuid());
    return c;
  };
  const refused_call not_root[] = {{SYS_setgroups, EPERM}, {SYS_geteuid, EPERM}};
  EXPECT_EQ(start_refusing(not_root, to_ourselves), "exit 5 ");
  if (::geteuid() != 0) GTEST_SKIP() << "the rest is about root";
  EXPECT_EQ(start_refusing(std::span(not_root).first(1), to_ourselves),
            "ids 1 setgroups, setresgid or setresuid refused");
}

/// The parent died before the signal was set: getppid no longer returns its number.
TEST_P(SpawnRefused, P7_AnOrphanDoesNotBecomeTheProgram) {
  const refused_call orphaned[] = {{SYS_getppid, EPERM}};
  const auto said = start_refusing(orphaned, [] {
    auto c = child({"exit", "5"});
    c.parent_death_signal(SIGTERM);
    return c;
  });
  EXPECT_EQ(said, "exit 127 ");
}

TEST_P(SpawnRefused, P6_NothingForeignIsInheritedWhereTheKernelCannotMarkARange) {
  const int foreign = ::fcntl(0, F_DUPFD, 150);
  ASSERT_GE(foreign, 150);
  const std::string path = "/proc/self/fd/" + std::to_string(foreign);
  const auto look = [&](bool keep) {
    return [&path, keep] {
      auto c = command::argv(
          {"/bin/sh", "-c", "test -e $0 && echo open; test -e /proc/self/fd/7", path});
      c.pass_fd(0, 7).out(to::pipe{});
      if (keep) c.keep_foreign_fds();
      return c;
    };
  };
  const refused_call refused[] = {{SYS_close_range, ENOSYS}, {SYS_getdents64, ENOSYS}};
  for (std::size_t count = 0; count <= 2; ++count) {
    EXPECT_EQ(start_refusing(std::span(refused).first(count), look(false)), "exit 0 ") << count;
    EXPECT_EQ(start_refusing(std::span(refused).first(count), look(true)), "exit 0 open\n");
  }
  ::close(foreign);
}

/// The child waits at the gate for a parent that never opens it.
TEST(SpawnGate, P9_AParentThatDiesLeavesNoChildAtTheGate) {
  if (test::emulated || test::under_valgrind) GTEST_SKIP() << "no seccomp here";
  auto alive = os::make_pipe();
  auto output = os::make_pipe();
  ASSERT_TRUE(alive && output);
  const refused_call deadly[] = {{SYS_pidfd_open, 0}};
  const int status = test::in_child([&] {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    if (!test::refuse_calls(deadly)) return 1;
    auto c = child({"say", "ran"});
    c.out(to::fd{output->write_end.get()});
    (void)test::start(c, test::child_memory::copied);
    return 2;
  });
  EXPECT_EQ(status, 128 + SIGSYS);
  alive->write_end.reset();
  // Each copy of the write end was in one of the two processes.
  pollfd ended = {.fd = alive->read_end.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&ended, 1, 60'000), 1) << "the child still exists";
  EXPECT_TRUE(ended.revents & POLLHUP);
  // And the end of its output: it ends without data.
  output->write_end.reset();
  std::byte word[8];
  EXPECT_EQ(os::read_some(output->read_end.get(), word), 0U) << "the program ran";
}

}  // namespace
}  // namespace bast
