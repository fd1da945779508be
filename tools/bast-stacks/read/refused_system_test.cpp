// SPDX-License-Identifier: Apache-2.0
//
// The message and the status when the kernel refuses: in a child, with a filter that blocks the
// calls.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "bast/testing/refused_calls.hpp"
#include "model/test_record_text.hpp"
#include "read/attach.hpp"
#include "read/run.hpp"
#include "read/testing/child.hpp"
#include "read/testing/faulty_calls.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::called;
using testing::faulty_call;
using testing::test_program;

constexpr int no_filter = 77;

/// The message of `body` in a child that may not make these calls.
std::string said_without(const std::vector<bast::test::refused_call>& calls,
                         const std::function<std::string()>& body) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!bast::test::refuse_calls(calls)) ::_exit(no_filter);
    const std::string text = body();
    ::_exit(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0
                                                                                            : 1);
  }
  ::close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t bytes = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == no_filter) return "no filter";
  EXPECT_EQ(status, 0);
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}

std::string ended_text(const std::expected<run_result, problem>& ended) {
  return ended ? fmt::format("status {}", ended->status) : error_text(ended);
}

TEST(Refused, ARunWithoutAHandleOfItsProgramStillEnds) {
  const std::string said = said_without({{.number = SYS_pidfd_open, .error_number = ENOSYS}}, [] {
    return ended_text(run_program(test_program({"run", "3", "5000"}), {})) + ", " +
           ended_text(run_program({"/bin/sh", "-c", "exit 5"}, {}));
  });
  if (said == "no filter") GTEST_SKIP() << "no filters here";
  EXPECT_EQ(
      said,
      "status 7, 5 /bin/sh made no pool of bast; it ended with status 5 | build it with bast, "
      "and let it start a coroutine");
}

TEST(Refused, ARunWithoutAFileForItsRegistryIsNone) {
  const std::string said = said_without({{.number = SYS_memfd_create, .error_number = EMFILE}},
                                        [] { return ended_text(run_program({"/bin/true"}, {})); });
  if (said == "no filter") GTEST_SKIP() << "no filters here";
  EXPECT_EQ(said, "3 cannot make a registry: Too many open files");
}

TEST(Refused, AProcessWhoseMemoryMayNotBeReadIsAskedThroughItsSocket) {
  for (const int error : {EPERM, EACCES, ENOSYS}) {
    const pid_t parent = ::getpid();
    const std::string said = said_without({{.number = SYS_process_vm_readv, .error_number = error}},
                                          [&] { return error_text(attach(parent)); });
    if (said == "no filter") GTEST_SKIP() << "no filters here";
    EXPECT_EQ(said.substr(0, said.find(" (")),
              fmt::format("3 cannot read process {}: process_vm_readv: {}; it does not listen",
                          parent, std::strerror(error)));
  }
}

TEST(Refused, AProcessThatEndsWhileItIsLookedAtHasEnded) {
  const faulty_call gone(called::process_vm_readv, {.times = 1, .error = ESRCH});
  EXPECT_EQ(error_text(attach(::getpid())), fmt::format("3 process {} has ended", ::getpid()));
  const faulty_call maps(called::read, {.times = 1, .error = ESRCH});
  EXPECT_EQ(error_text(attach(::getpid())), fmt::format("3 process {} has ended", ::getpid()));
}

TEST(Run, AnInterruptedWaitIsNoEnd) {
  const faulty_call interrupted(called::waitpid, {.times = 2, .error = EINTR});
  EXPECT_EQ(ended_text(run_program(test_program({"run", "3", "5000"}), {})), "status 7");
  EXPECT_EQ(interrupted.calls(), 3);
}

/// The initial state of a program that is run.
std::string run_of_shell(const std::string& line) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe(ends), 0);
  const auto ended = run_program({"/bin/sh", "-c", fmt::format("exec >&{}; {}", ends[1], line)},
                                 {.deepest = true});
  EXPECT_FALSE(ended);
  ::close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t bytes = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}

TEST(Run, TheVariableHasItsWordsBehindThoseThatWereThere) {
  const auto words = [](const char* before) {
    if (before != nullptr) ::setenv("BAST_WATCH", before, 1);
    std::string text = run_of_shell("echo \"$BAST_WATCH\"");
    ::unsetenv("BAST_WATCH");
    // The number of its file varies.
    const std::size_t number = text.find("fd:") + 3;
    const std::size_t end = text.find_first_not_of("0123456789", number);
    EXPECT_LT(number, end);
    return text.erase(number, end - number);
  };
  EXPECT_EQ(words(nullptr), "fd:,deepest\n");
  EXPECT_EQ(words(""), "fd:,deepest\n");
  EXPECT_EQ(words("a"), "a,fd:,deepest\n");
  // Nothing else is lost, and a variable that only begins like it is another.
  ::setenv("BAST_WATCHED", "kept", 1);
  EXPECT_EQ(run_of_shell("echo $BAST_WATCHED"), "kept\n");
  ::unsetenv("BAST_WATCHED");
}

TEST(Run, SignalsAreThatOfItsCallerInTheProgramAndAfterwards) {
  // The parent of this test may ignore some of them, as a shell does for background jobs.
  constexpr int all[] = {SIGINT, SIGQUIT, SIGTERM};
  struct sigaction before[std::size(all)] = {};
  for (std::size_t i = 0; i < std::size(all); ++i) {
    struct sigaction made{};
    made.sa_handler = all[i] == SIGQUIT ? SIG_IGN : SIG_DFL;
    ::sigaction(all[i], &made, &before[i]);
  }
  // Bits of SIGINT 2, SIGQUIT 3, SIGTERM 15: only those ignored before stay ignored.
  const std::string text = run_of_shell("grep SigIgn /proc/self/status");
  const std::uint64_t mask =
      std::stoull(text.substr(text.find_first_of("0123456789")), nullptr, 16);
  EXPECT_EQ(mask & (1 << 1 | 1 << 2 | 1 << 14), std::uint64_t{1 << 2});
  for (std::size_t i = 0; i < std::size(all); ++i) {
    struct sigaction now{};
    ::sigaction(all[i], &before[i], &now);
    EXPECT_EQ(now.sa_handler, all[i] == SIGQUIT ? SIG_IGN : SIG_DFL) << all[i];
  }
}

}  // namespace
}  // namespace bast_stacks
