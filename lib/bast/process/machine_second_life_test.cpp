// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: a life leaves no state to the next; the counts; both streams.
#include <string>

#include "bast/process/machine.hpp"
#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

class MachineSecondLife : public scripted_machine {
 protected:
  /// An ordinary life, on both streams.
  void plain_life() {
    result.reset();
    done.clear();
    flying.clear();
    start(both());
    EXPECT_EQ(flying.size(), 3U) << "no timer";
    complete_poll(output_fd);
    EXPECT_EQ(flying.back().length, 4096U);
    bring("out");
    complete_poll(output_fd, POLLHUP);
    complete(flight(operation_kind::read, output_fd), 0);
    complete_poll(errors_fd);
    bring("err", errors_fd);
    complete_poll(errors_fd, POLLHUP);
    complete(flight(operation_kind::read, errors_fd), 0);
    exit_now(CLD_EXITED, 3);
    ASSERT_TRUE(result);
    EXPECT_EQ(kinds_done(), "close close observe reap close ");
    EXPECT_EQ(done.at(0).fd, output_fd);
    EXPECT_EQ(done.at(1).fd, errors_fd);
    EXPECT_EQ(done.at(4).fd, pidfd);
    EXPECT_EQ(result->ended_by, process_ending::exited);
    EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::exited, .code = 3}));
    expect_stream(result->output, "out", 0, 0, truncation::none);
    expect_stream(result->errors, "err", 0, 0, truncation::none);
    EXPECT_EQ(result->signal_error, 0);
    EXPECT_EQ(result->usage.ru_maxrss, 0);
    EXPECT_TRUE(flying.empty());
    EXPECT_EQ(next_deadline(), internal::never_ns);
  }
  static void expect_stream(const captured_output& stream, std::string_view bytes,
                            std::uint64_t discarded, int error_number, truncation why) {
    EXPECT_EQ(stream.bytes.text(), bytes);
    EXPECT_EQ(stream.discarded, discarded);
    EXPECT_EQ(stream.error_number, error_number);
    EXPECT_EQ(stream.truncated, why);
  }
};

TEST_F(MachineSecondLife, P22_AfterALifeFullOfFailuresTheNextIsPlain) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  process_start bad = both();
  bad.own_group = true;
  bad.kill_group_on_exit = true;
  bad.timeout = 1ms;
  bad.grace = 1ms;
  bad.drain_grace = 1ms;
  bad.output.limit = bytes{2};
  bad.errors = {.limit = bytes{2}, .policy = on_limit::truncate_and_drain};
  immediate = {-ENOMEM, -EPERM, -EIO};
  start(bad);
  complete_poll(output_fd, -ENOMEM);
  complete_poll(errors_fd);
  bring("abcd", errors_fd);
  tick(1 * millisecond);
  complete_poll(output_fd);
  bring("abc");
  tick(10 * millisecond);
  complete_poll(pidfd, -ENOMEM);
  immediate = {0, -ENOMEM, 1, -EIO, -EPERM, -ENOMEM};
  exited = child_exit{.code = CLD_DUMPED, .status = SIGABRT, .usage = {}};
  exited->usage.ru_maxrss = 9;
  for (int i = 0; i < 100 && !result; ++i) {
    const bool has_poll = !flying.empty() && flying.back().fd == pidfd;
    if (has_poll) complete_poll(pidfd);
    tick(std::min(next_deadline(), (20 + i) * millisecond));
    for (std::size_t n = flying.size(); n-- > 0;) {
      if (flying[n].kind == operation_kind::cancel) cancelled(operation_kind::poll, flying[n].fd);
      n = std::min(n, flying.size());
    }
  }
  ASSERT_TRUE(result);
  EXPECT_EQ(result->ended_by, process_ending::timed_out);
  EXPECT_EQ(result->signal_error, EPERM);
  EXPECT_EQ(
      result->status,
      (exit_status{.how = exit_status::kind::signalled, .core_dumped = true, .code = SIGABRT}));
  expect_stream(result->output, "ab", 1, 0, truncation::limit);
  expect_stream(result->errors, "ab", 2, 0, truncation::limit);
  immediate.clear();
  plain_life();
  EXPECT_EQ(counts(),
            "live 0 peak 1 flying 0 started 2 finished 2 ignored 0 0 0 refused 0 zombies 0");
}

TEST_F(MachineSecondLife, P22_TriesOfOneLifeAreNotTheNextOnes) {
  init({.processes_max = 1});
  for (int life = 0; life < 3; ++life) {
    for (int i = 0; i < 10; ++i) {
      process_start slow = both();
      slow.timeout = 1h;
      flying.clear();
      result.reset();
      start(slow);
      complete(flight(operation_kind::timeout), -ENOMEM);
      ASSERT_EQ(flying.size(), 4U) << "it is armed again";
      complete_poll(output_fd, POLLHUP);
      complete(flight(operation_kind::read, output_fd), 0);
      complete_poll(errors_fd, POLLHUP);
      complete(flight(operation_kind::read, errors_fd), 0);
      exit_now();
      cancelled(operation_kind::timeout);
      ASSERT_TRUE(result);
    }
  }
}

TEST_F(MachineSecondLife, P14_ATimerThatCannotBeArmedIsLeftToTicksAfterSixteenFailures) {
  init({.processes_max = 1});
  process_start slow = child();
  slow.timeout = 7ms;
  start(slow);
  // Other completions of the timer are not counted as failures, and a success resets the count.
  for (int i = 0; i < 30; ++i) {
    complete(flight(operation_kind::timeout), i % 2 == 0 ? -ECANCELED : -EINTR);
  }
  for (int i = 0; i < 15; ++i) complete(flight(operation_kind::timeout), -ENOMEM);
  complete(flight(operation_kind::timeout), -ETIME);
  EXPECT_EQ(signals(), "15 ");
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(flying.size(), 2U);
    complete(flight(operation_kind::timeout), -EPERM);
  }
  EXPECT_EQ(flying.size(), 1U);
  tick(5007 * millisecond - 1);
  EXPECT_EQ(signals(), "15 ");
  tick(5007 * millisecond);
  EXPECT_EQ(signals(), "15 9 ");
  exit_now();
  EXPECT_TRUE(result);
}

TEST_F(MachineSecondLife, P22_SlotsAreUsedAgainTheLatestFirstAndCounted) {
  init({.processes_max = 3});
  process_start one = child();
  std::string slots;
  const auto starts = [&](int fd) {
    one.pidfd = fd;
    const process_id id = start(one);
    slots += std::to_string(id.slot) + "." + std::to_string(id.generation) + " ";
  };
  const auto ends = [&](int fd) {
    result.reset();
    exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
    complete_poll(fd);
    EXPECT_TRUE(result);
  };
  starts(50);
  starts(51);
  starts(52);
  const auto full = machine->start(one);
  EXPECT_EQ(full.error().kind(), errc::limit);
  EXPECT_EQ(machine->has_room().error().kind(), errc::limit);
  EXPECT_EQ(counts(),
            "live 3 peak 3 flying 3 started 3 finished 0 ignored 0 0 0 refused 0 zombies 0");
  ends(50);
  EXPECT_TRUE(machine->has_room());
  ends(52);
  starts(60);
  starts(61);
  EXPECT_FALSE(machine->has_room());
  ends(51);
  starts(62);
  EXPECT_EQ(slots, "0.1 1.1 2.1 2.2 0.2 1.2 ");
  EXPECT_EQ(counts(),
            "live 3 peak 3 flying 3 started 6 finished 3 ignored 0 0 0 refused 0 zombies 0");
  for (const int fd : {60, 61, 62}) ends(fd);
  EXPECT_EQ(counts(),
            "live 0 peak 3 flying 0 started 6 finished 6 ignored 0 0 0 refused 0 zombies 0");
}

TEST_F(MachineSecondLife, P22_TheEndsAreToldInTheirOrderAndNeverInsideOneAnother) {
  struct told {
    std::unique_ptr<process_machine>* machine;
    std::string order;
    int depth = 0;
  } seen{&machine, "", 0};
  init({.processes_max = 3});
  process_start one = child();
  one.context = &seen;
  one.finished = [](void* context, process_id id, process_result&& ended) noexcept {
    auto& s = *static_cast<told*>(context);
    EXPECT_EQ(++s.depth, 1);
    s.order += std::to_string(id.slot) + "." + std::to_string(id.generation) + "=" +
               std::to_string(ended.pid) + " ";
    EXPECT_FALSE((*s.machine)->is_live(id));
    (*s.machine)->tick({});  // Would deliver the other ends from in here.
    --s.depth;
  };
  for (int i = 0; i < 3; ++i) {
    one.pid = 1000 + i;
    one.pidfd = 50 + i;
    start(one);
  }
  // All have ended before any is delivered: the first one's end does it from inside.
  exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
  for (const int fd : {51, 50, 52}) complete_poll(fd);
  EXPECT_EQ(seen.order, "1.1=1001 0.1=1000 2.1=1002 ");
  // Without `finished` no call is made.
  one.finished = nullptr;
  start(one);
  complete_poll(52);
  EXPECT_TRUE(machine->idle());
}

TEST_F(MachineSecondLife, P16_TheLimitOfEitherStreamIsAReason) {
  for (const int fd : {output_fd, errors_fd}) {
    for (const bool exits_first : {false, true}) {
      init({.processes_max = 1});
      flying.clear();
      done.clear();
      result.reset();
      process_start one = both();
      (fd == output_fd ? one.output : one.errors).limit = bytes{2};
      start(one);
      complete_poll(fd);
      if (exits_first) exit_now(CLD_EXITED, 4);
      bring("abc", fd);
      EXPECT_EQ(signals(), exits_first ? "" : "15 ");
      if (!exits_first) exit_now(CLD_EXITED, 4);
      complete_poll(fd);
      complete(flight(operation_kind::read, fd), 0);
      const int other = fd == output_fd ? errors_fd : output_fd;
      complete_poll(other);
      complete(flight(operation_kind::read, other), 0);
      cancelled(operation_kind::timeout);
      ASSERT_TRUE(result);
      EXPECT_EQ(result->ended_by, process_ending::limit);
      EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::exited, .code = 4}));
      const bool is_output = fd == output_fd;
      expect_stream(is_output ? result->output : result->errors, "ab", 1, 0, truncation::limit);
      expect_stream(is_output ? result->errors : result->output, "", 0, 0, truncation::none);
    }
  }
}

}  // namespace
}  // namespace bast
