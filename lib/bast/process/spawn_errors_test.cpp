// SPDX-License-Identifier: Apache-2.0
//
// A failed start reports the reason and the stage, leaves nothing behind, and can be tried again
// (P-8, P-9).
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;
using test::child_memory;

const std::string child_is_refused = "cannot start '" + test::child_words().front();

class SpawnErrors : public test::spawn_test {
 protected:
  void SetUp() override {
    spawn_test::SetUp();
    place_ = ::mkdtemp(name_);
    if (test::under_valgrind) GTEST_SKIP() << "valgrind answers execve by itself";
  }
  void TearDown() override {
    ::unlink((place_ + "/file").c_str());
    ::rmdir(place_.c_str());
    spawn_test::TearDown();
  }
  std::string file(const std::string& contents, mode_t mode) {
    const std::string path = place_ + "/file";
    std::ofstream(path) << contents;
    ::chmod(path.c_str(), mode);
    return path;
  }
  /// Expects that the start fails in this way, and that nothing of it is left.
  static void expect_failure(command& c, spawn_stage stage, int error_number,
                             std::string_view in_words) {
    const test::leak_baseline before;
    const auto ended = run(c);
    EXPECT_EQ(before.differences(), "");
    ASSERT_TRUE(ended.failure) << ended;
    EXPECT_EQ(ended.failure->error_number(), error_number) << ended;
    EXPECT_EQ(ended.failure->operation(), std::string("command.start (") + name_of(stage) + ")");
    EXPECT_EQ(c.failure().stage, stage);
    EXPECT_EQ(c.failure().error_number, error_number);
    EXPECT_FALSE(c.started());
    EXPECT_TRUE(c.verify()) << "the command is unchanged";
    text words;
    c.describe_failure(words);
    EXPECT_EQ(words.view(), in_words);
  }

  char name_[32] = "/tmp/bast.XXXXXX";
  std::string place_;
};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnErrors, test::both_memories, test::memory_name);

TEST_P(SpawnErrors, P8_AMissingProgram) {
  auto c = command::argv({"/nonexistent/program"});
  expect_failure(c, spawn_stage::exec, ENOENT,
                 "cannot start '/nonexistent/program' (exec): No such file or directory");
  auto d = command::argv({"bast-no-such-program"});
  expect_failure(d, spawn_stage::exec, ENOENT,
                 "cannot start 'bast-no-such-program' (exec): No such file or directory");
}

TEST_P(SpawnErrors, P8_AProgramThatMayNotBeExecuted) {
  const std::string path = file("#!/bin/sh\n", 0644);
  auto c = command::argv({path});
  expect_failure(c, spawn_stage::exec, EACCES,
                 "cannot start '" + path + "' (exec): Permission denied");
  auto d = command::argv({"file"});
  d.env("PATH", "/nonexistent:" + place_ + ":/usr/lib/os-release");
  expect_failure(d, spawn_stage::exec, EACCES, "cannot start 'file' (exec): Permission denied");
}

TEST_P(SpawnErrors, P8_AFileThatIsNoProgram) {
  const std::string path = file("no program\n", 0755);
  auto c = command::argv({path});
  expect_failure(c, spawn_stage::exec, ENOEXEC,
                 "cannot start '" + path + "' (exec): Exec format error");
}

TEST_P(SpawnErrors, P8_AScriptWithoutItsInterpreter) {
  const std::string path = file("#!/nonexistent/interpreter\n", 0755);
  auto c = command::argv({path});
  expect_failure(c, spawn_stage::exec, ENOENT,
                 "cannot start '" + path + "' (exec): No such file or directory");
}

TEST_P(SpawnErrors, P8_MoreArgumentsThanTheKernelTakes) {
  auto c = child({"exit", "0"});
  const std::string large(128000, 'x');
  for (int i = 0; i < 60; ++i) c.arg(large);  // 7.3 MiB; the kernel takes 6 MiB at most
  expect_failure(c, spawn_stage::exec, E2BIG,
                 child_is_refused + "' (exec): Argument list too long");
}

TEST_P(SpawnErrors, P8_ADirectoryThatCannotBeEntered) {
  auto c = child({"exit", "0"});
  expect_failure(c.cwd("/nonexistent"), spawn_stage::chdir, ENOENT,
                 child_is_refused + "' (chdir): cwd '/nonexistent': No such file or directory");
  auto d = child({"exit", "0"});
  expect_failure(d.cwd("/etc/passwd"), spawn_stage::chdir, ENOTDIR,
                 child_is_refused + "' (chdir): cwd '/etc/passwd': Not a directory");
}

TEST_P(SpawnErrors, P8_AStreamThatCannotBeOpenedIsNamedWithItsPath) {
  auto c = child({"exit", "0"});
  expect_failure(
      c.in(from::path{"/nonexistent"}), spawn_stage::descriptors, ENOENT,
      child_is_refused + "' (descriptors): in '/nonexistent': No such file or directory");
  auto d = child({"exit", "0"});
  expect_failure(d.err(to::path{"/"}), spawn_stage::descriptors, EISDIR,
                 child_is_refused + "' (descriptors): err '/': Is a directory");
  auto e = child({"exit", "0"});
  expect_failure(e.out(to::fd{9999}), spawn_stage::descriptors, EBADF,
                 child_is_refused + "' (descriptors): out: Bad file descriptor");
  auto f = child({"exit", "0"});
  expect_failure(f.pass_fd(9999, 3), spawn_stage::descriptors, EBADF,
                 child_is_refused + "' (descriptors): pass_fd: Bad file descriptor");
}

TEST_P(SpawnErrors, P8_ASetterThatWasRefusedIsNamed) {
  auto c = child({"exit", "0"});
  const auto ended = run(c.argv0(std::string_view("\0", 1)));
  ASSERT_TRUE(ended.failure);
  EXPECT_EQ(c.failure().stage, spawn_stage::prepare);
  text words;
  c.describe_failure(words);
  EXPECT_EQ(words.view(), child_is_refused + "' (prepare): argv0: the name contains a NUL byte");
}

TEST_P(SpawnErrors, P8_ANumberThatNoDescriptorCanHave) {
  auto c = child({"exit", "0"});
  expect_failure(c.pass_fd(1, 1 << 30), spawn_stage::descriptors, EBADF,
                 child_is_refused + "' (descriptors): Bad file descriptor");
}

TEST_P(SpawnErrors, P8_TheReportArrivesWhateverNumbersAreTaken) {
  auto c = command::argv({"/nonexistent/program"});
  for (int theirs = 3; theirs < 60; ++theirs) c.pass_fd(0, theirs);
  expect_failure(c, spawn_stage::exec, ENOENT,
                 "cannot start '/nonexistent/program' (exec): No such file or directory");
}

TEST_P(SpawnErrors, P8_TheReportArrivesWhicheverNumberIsTaken) {
  for (int theirs = 3; theirs < 40; ++theirs) {
    SCOPED_TRACE(theirs);
    auto c = command::argv({"/nonexistent/program"});
    expect_failure(c.pass_fd(0, theirs), spawn_stage::exec, ENOENT,
                   "cannot start '/nonexistent/program' (exec): No such file or directory");
  }
}

TEST_P(SpawnErrors, P9_TheSameCommandMaySucceedLater) {
  const std::string path = place_ + "/file";
  auto c = command::argv({path});
  c.out(to::pipe{}).in(from::bytes{"later"});
  for (int i = 0; i < 3; ++i) {
    expect_failure(c, spawn_stage::exec, ENOENT,
                   "cannot start '" + path + "' (exec): No such file or directory");
  }
  file("#!/bin/sh\ncat\n", 0755);
  EXPECT_EQ(run(c).out, "later");
  EXPECT_EQ(c.failure().stage, spawn_stage::none);
}

/// A program that uses every feature, so that a start makes all of its kernel calls.
command everything() {
  auto c = child({"cat", "say", "done", "err", "3"});
  c.cwd("/").env("A", "1").in(from::bytes{"in "}).out(to::pipe{}).err(to::capture{});
  c.pass_fd(0, 9).limit(RLIMIT_CORE, 0, 0).umask(022).parent_death_signal(SIGTERM);
  return c;
}

const char* unclear(const error& e) {
  if (e.detail() == nullptr || *e.detail() == '\0') return "the error has no detail";
  return std::string_view(e.operation()).starts_with("command.start (") ? nullptr
                                                                        : "no stage is named";
}

/// Starts with faults, then without; returns an error text or an empty one.
std::string attempt(command& c, test::injection& faults, const std::string& expected_out) {
  if (!c.verify()) {
    // A setter without memory reports it, and the command does not start without its option.
    faults.end();
    return c.verify().error() == errc::no_memory || c.verify().error() == errc::invalid
               ? ""
               : "verify: " + c.verify().error().message();
  }
  auto started = internal::spawn(c);
  faults.end();
  if (!started) {
    if (const char* const wrong = unclear(started.error())) return wrong;
    if (c.started() || !c.verify()) return "the command is not as it was";
    if (c.failure().stage == spawn_stage::none) return "the failure is not kept";
    if (!test::has_no_child()) return "a child is left";
    started = internal::spawn(c);
    if (!started) return "without faults: " + started.error().message();
  }
  const auto ended = test::finish(std::move(*started));
  if (!ended.exited(0) || ended.out != expected_out) return "the child is not what was asked for";
  return test::has_no_child() ? "" : "a child is left";
}

// Kernel errors: no memory; unsupported, which leads to the fallback; no descriptor.
constexpr int errnos[] = {ENOMEM, EINVAL, EMFILE};

TEST(SpawnFaults, P9_AChildThatIsGivenUpTakesItsGroupAlong) {
  auto c = child({"grandchild", "hang"});
  c.out(to::pipe{}).err(to::pipe{});
  auto started = bast::internal::spawn(c);
  ASSERT_TRUE(started) << started.error().message();
  pollfd told = {.fd = started->stderr_pipe.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&told, 1, -1), 1);  // The grandchild exists.
  os::destroy_process(started->process);
  test::ended all;  // Until no process holds the other ends.
  test::read_both(started->stdout_pipe.get(), started->stderr_pipe.get(), all);
  EXPECT_TRUE(all.err.starts_with("grandchild ")) << all;
  EXPECT_TRUE(test::has_no_child());
}

TEST(SpawnFaults, P9_EachCallFailed) {
  const auto loop = test::for_each_failing_call(
      [](test::injection& faults) {
        auto c = everything();
        return attempt(c, faults, "in done\n");
      },
      errnos);
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 100U);
}

TEST(SpawnFaults, P9_EachCallOfAPathSearchFailed) {
  const auto loop = test::for_each_failing_call(
      [](test::injection& faults) {
        auto c = command::argv({"cat"});
        c.env("PATH", "relative:/usr/bin:/bin").cwd("/").in(from::bytes{"x"}).out(to::pipe{});
        c.err(to::path{"/dev/null"});
        return attempt(c, faults, "x");
      },
      errnos);
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 100U);
}

/// Two failures in one start: the second during the fallback or during the cleanup.
TEST(SpawnFaults, P9_EachTwoCallsFailed) {
  std::uint64_t calls = 0;
  {
    test::injection none({});
    auto c = everything();
    ASSERT_EQ(attempt(c, none, "in done\n"), "");
    calls = none.seen();
  }
  ASSERT_GT(calls, 20U);
  const std::uint64_t step = test::under_valgrind ? 5 : 1;
  int both = 0;
  for (std::uint64_t first = 1; first <= calls; ++first) {
    // The fallback makes more calls than the path that was counted.
    for (std::uint64_t second = first + 1; second <= calls + 8; second += step) {
      const test::leak_baseline before;
      test::injection faults({.nth = first, .also_nth = second, .error_number = EINVAL});
      auto c = everything();
      std::string wrong = attempt(c, faults, "in done\n");
      wrong += before.differences();
      EXPECT_EQ(wrong, "") << first << " and " << second;
      both += faults.injected() == 2;
    }
  }
  EXPECT_GT(both, 10);
}

}  // namespace
}  // namespace bast
