// SPDX-License-Identifier: Apache-2.0
//
// Waiting for the end of a program, and the looks meanwhile: on a scripted clock, and with a kernel
// that reports the end.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fstream>
#include <utility>

#include "model/descriptor.hpp"
#include "model/test_record_text.hpp"
#include "read/run.hpp"
#include "read/testing/child.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/fake_time.hpp"
#include "read/testing/open_descriptors.hpp"
#include "read/testing/reading.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::answered_call;
using testing::called;
using ::testing::ElementsAre;
using testing::fake_time;
using testing::find_site;
using testing::open_descriptors;
using testing::test_program;

/// The standard streams of the program that is run: it prints "ready" and continues until its input
/// ends.
class own_streams {
 public:
  own_streams() : input_before_(::dup(0)), output_before_(::dup(1)) {
    int input[2] = {-1, -1};
    int output[2] = {-1, -1};
    EXPECT_EQ(::pipe2(input, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(output, O_CLOEXEC), 0);
    (void)::fflush(stdout);
    ::dup2(input[0], 0);
    ::dup2(output[1], 1);
    ::close(input[0]);
    ::close(output[1]);
    input_ = input[1];
    output_ = output[0];
  }
  ~own_streams() {
    end_input();
    ::close(output_);
    ::dup2(input_before_, 0);
    ::dup2(output_before_, 1);
    ::close(input_before_);
    ::close(output_before_);
  }
  own_streams(const own_streams&) = delete;
  own_streams& operator=(const own_streams&) = delete;

  void wait_until_ready() const {
    char text[16] = {};
    (void)!::read(output_, text, sizeof text);
  }
  void end_input() {
    if (input_ >= 0) ::close(std::exchange(input_, -1));
  }

 private:
  int input_before_;
  int output_before_;
  int input_ = -1;
  int output_ = -1;
};

/// The requests to the kernel while a program runs.
struct fake_watch {
  fake_time time;
  std::vector<int> waits;           // milliseconds
  std::vector<std::string> waited;  // options of waitpid
  bool has_handles = true;
  std::function<std::optional<long>(std::size_t wait, pollfd& end)> in_wait;

  answered_call polls{called::poll, [this](const auto& given) -> std::optional<long> {
                        EXPECT_EQ(given[1], 1);
                        waits.push_back(static_cast<int>(given[2]));
                        auto& end = *reinterpret_cast<pollfd*>(given[0]);
                        EXPECT_EQ(end.events, POLLIN);
                        EXPECT_EQ(end.revents, 0);
                        EXPECT_EQ(end.fd >= 0, has_handles);
                        return in_wait(waits.size(), end);
                      }};
  answered_call handles{called::syscall, [this](const auto& given) -> std::optional<long> {
                          if (given[0] != SYS_pidfd_open) return std::nullopt;
                          EXPECT_EQ(static_cast<unsigned>(given[2]), 0U);
                          if (!has_handles) return -ENOSYS;
                          return std::nullopt;
                        }};
  answered_call waitpids{called::waitpid, [this](const auto& given) -> std::optional<long> {
                           waited.push_back(given[2] == WNOHANG ? "is it over" : "until it is");
                           return std::nullopt;
                         }};
};

/// Reports that the program has ended, and waits for it.
std::optional<long> it_ended(pollfd& end) {
  end.revents = POLLIN;
  return 1;
}

std::string waits_while(long step_ns, std::size_t looks, snapshot* seen = nullptr) {
  std::optional<own_streams> streams(std::in_place);
  fake_watch kernel;
  kernel.time.step_ns = step_ns;
  kernel.in_wait = [&](std::size_t wait, pollfd& end) -> std::optional<long> {
    if (wait == 1) streams->wait_until_ready();
    if (wait <= looks) return 0;
    streams->end_input();
    return it_ended(end);
  };
  const long before = open_descriptors();
  const auto ended = run_program(test_program({"depths", "5000", "9000"}), {});
  const long after = open_descriptors();
  streams.reset();  // Test output goes to the same place.
  EXPECT_EQ(after, before - 1) << "but for the input that was ended";
  EXPECT_TRUE(ended) << error_text(ended);
  if (!ended) return {};
  EXPECT_EQ(ended->status, 0);
  EXPECT_THAT(kernel.waited, ElementsAre("until it is"));
  if (seen != nullptr) *seen = ended->seen;
  return fmt::format("{}", fmt::join(kernel.waits, " "));
}

TEST(RunAnswers, ItIsLookedAtLessAndLessOften) {
  snapshot seen;
  EXPECT_EQ(waits_while(0, 10, &seen), "2 4 8 16 32 64 128 200 200 200 200");
  const site* const worker = find_site(seen, "worker");
  ASSERT_NE(worker, nullptr);
  EXPECT_EQ(worker->live, 0U);
  EXPECT_EQ(worker->held, 2U);
  EXPECT_FALSE(seen.modules.empty());
  EXPECT_THAT(seen.not_seen, ::testing::Not(::testing::Contains(::testing::HasSubstr("ended "))));
  // A long look, here three steps of the clock, takes at most a twentieth of the time.
  EXPECT_EQ(waits_while(1'000'000, 3), "2 60 60 60");
  EXPECT_EQ(waits_while(100'000, 3), "2 4 8 16");
  EXPECT_EQ(waits_while(400'000, 3), "2 20 20 20");
}

TEST(RunAnswers, WhatWasNeverLookedAtIsSaid) {
  fake_watch kernel;
  kernel.in_wait = [](std::size_t, pollfd& end) { return it_ended(end); };
  const auto words = test_program({"killed", "5000"});
  const auto ended = run_program(words, {});
  ASSERT_TRUE(ended) << error_text(ended);
  EXPECT_EQ(ended->status, 128 + SIGKILL);
  EXPECT_EQ(ended->seen.program, words[0]);
  EXPECT_THAT(
      ended->seen.not_seen,
      ElementsAre(
          "Pools that were still there at the end: 1; uses of their stacks since they were "
          "last measured are not counted.",
          "How many stacks were live at a time: the program ended before it could be looked "
          "at."));
  EXPECT_THAT(kernel.waits, ElementsAre(2));
}

TEST(RunAnswers, OfARegistryWithoutFilesNoFrameHasAName) {
  // A program that copies what a library would have written.
  const std::string path = ::testing::TempDir() + "bast-run-registry";
  {
    testing::fake_registry fake;
    fake.pool(0).state = static_cast<std::uint32_t>(bast::watch::entry_state::closed);
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&fake.header()), testing::fake_registry::bytes);
  }
  fake_watch kernel;
  kernel.in_wait = [](std::size_t, pollfd& end) { return it_ended(end); };
  const auto ended =
      run_program({"/bin/sh", "-c", fmt::format("cat {} >&${{BAST_WATCH#fd:}}", path)}, {});
  ::unlink(path.c_str());
  ASSERT_TRUE(ended) << error_text(ended);
  EXPECT_THAT(
      ended->seen.not_seen,
      ElementsAre(
          "How many stacks were live at a time: the program ended before it could be looked at.",
          "Which files the program was made of, so frames have no names: it ended before it could "
          "be looked at."));
}

TEST(RunAnswers, WhoeverElseWaitedForItItEndedWell) {
  fake_watch kernel;
  kernel.in_wait = [](std::size_t, pollfd& end) { return it_ended(end); };
  pid_t pid = 0;
  std::string said;
  {
    const answered_call taken(called::waitpid, [&](const auto& given) {
      pid = static_cast<pid_t>(given[0]);
      return -ECHILD;
    });
    said = error_text(run_program({"/bin/true"}, {}));
  }
  EXPECT_EQ(said,
            "3 /bin/true made no pool of bast | build it with bast, and let it start a coroutine");
  ::waitpid(pid, nullptr, 0);
}

TEST(RunAnswers, WithNothingToSeeItIsAskedEveryTwoMilliseconds) {
  std::optional<own_streams> streams(std::in_place);
  fake_watch kernel;
  kernel.in_wait = [&](std::size_t wait, pollfd& end) -> std::optional<long> {
    // An interrupt, and a wait without an event, are not an end.
    if (wait == 2) return -EINTR;
    if (wait == 3) return 1;
    if (wait < 6) return 0;
    streams->end_input();
    return it_ended(end);
  };
  const std::string said = error_text(run_program({"/bin/cat"}, {}));
  streams.reset();
  EXPECT_EQ(said,
            "3 /bin/cat made no pool of bast | build it with bast, and let it start a coroutine");
  EXPECT_THAT(kernel.waits, ElementsAre(2, 2, 2, 2, 2, 2));
  EXPECT_THAT(kernel.waited, ElementsAre("until it is"));
}

TEST(RunAnswers, WithoutAHandleItIsAskedForAfterEachWait) {
  std::optional<own_streams> streams(std::in_place);
  fake_watch kernel;
  kernel.has_handles = false;
  kernel.in_wait = [&](std::size_t wait, pollfd&) -> std::optional<long> {
    if (wait == 3) {
      // It ends, and waits to be reaped.
      streams->end_input();
      siginfo_t which{};
      ::waitid(P_ALL, 0, &which, WEXITED | WNOWAIT);
    }
    return 0;
  };
  const std::string said = error_text(run_program({"/bin/sh", "-c", "cat; exit 5"}, {}));
  streams.reset();
  EXPECT_EQ(said,
            "5 /bin/sh made no pool of bast; it ended with status 5 | build it with bast, and let "
            "it start a coroutine");
  EXPECT_THAT(kernel.waits, ElementsAre(2, 2, 2));
  EXPECT_THAT(kernel.waited, ElementsAre("is it over", "is it over", "is it over"));
}

}  // namespace
}  // namespace bast_stacks
