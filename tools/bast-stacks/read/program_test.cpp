// SPDX-License-Identifier: Apache-2.0
//
// Reads real programs: the reader must return what the library wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <bast/config.hpp>
#include <filesystem>

#include "model/statistics.hpp"
#include "read/open.hpp"
#include "read/process_memory.hpp"
#include "read/record.hpp"
#include "read/run.hpp"
#include "read/source.hpp"
#include "read/testing/child.hpp"
#include "read/testing/reading.hpp"

namespace bast_stacks {
namespace {

using bast::watch::coro_state;
using testing::child;
using ::testing::Contains;
using testing::find_site;
using ::testing::HasSubstr;
using testing::test_program;

constexpr bool instrumented = BAST_WITH_ASAN != 0;

TEST(Program, DepthsOfSuspendedCoroutinesAreExact) {
  const std::vector<std::uint64_t> truth = {4096,  4097,   10'000,  32'768,    32'769,
                                            65536, 99'999, 1 << 20, 3'000'000, 4 << 20};
  std::vector<std::string> words{"depths"};
  for (const std::uint64_t each : truth) words.push_back(std::to_string(each));
  child program(test_program(words));
  ASSERT_TRUE(program.ready());
  const auto seen = open_process(program.pid(), {});
  ASSERT_TRUE(seen) << seen.error().what;
  ASSERT_EQ(seen->stacks.size(), truth.size());
  for (const std::uint64_t depth : truth) {
    const auto stack = std::ranges::find(seen->stacks, depth, &live_stack::depth);
    ASSERT_NE(stack, seen->stacks.end()) << depth;
    EXPECT_GE(stack->depth_at_most, depth);
    EXPECT_LT(stack->depth_at_most, depth + 4096);
    EXPECT_EQ(stack->name, "worker");
    EXPECT_EQ(stack->state, coro_state::suspended);
    EXPECT_LT(stack->sp, stack->top);
    EXPECT_GT(stack->sp, stack->low);
    const bool in_a_module = std::ranges::any_of(seen->modules, [&](const module& each) {
      return each.low <= stack->pc && stack->pc < each.high;
    });
    EXPECT_TRUE(in_a_module);
  }
  const site* const worker = find_site(*seen, "worker");
  ASSERT_NE(worker, nullptr);
  EXPECT_EQ(worker->live, truth.size());
  EXPECT_EQ(worker->max, truth.back());
  EXPECT_EQ(worker->limit, std::uint64_t{8} << 20);
  EXPECT_EQ(program.wait(), 0);
}

// Of bare stacks: the needs of a coroutine would hide the smallest.
const std::vector<std::uint64_t> small_depths = {1, 8, 100, 101, 512, 1000, 2047, 4095, 4096};

std::vector<std::string> with_small_depths(std::string_view mode) {
  std::vector<std::string> words{std::string(mode)};
  for (const std::uint64_t each : small_depths) words.push_back(std::to_string(each));
  return words;
}

TEST(Program, SmallDepthsOfLiveStacksAreExact) {
  child program(test_program(with_small_depths("stacks")));
  ASSERT_TRUE(program.ready());
  const auto seen = open_process(program.pid(), {});
  ASSERT_TRUE(seen) << seen.error().what;
  ASSERT_EQ(seen->stacks.size(), small_depths.size());
  for (const live_stack& stack : seen->stacks) {
    EXPECT_EQ(std::to_string(stack.depth), seen->sites.at(stack.site).where);
    EXPECT_GE(stack.depth_at_most, stack.depth);
    EXPECT_LT(stack.depth_at_most, stack.depth + 4096);
  }
  EXPECT_EQ(program.wait(), 0);
}

TEST(Program, SmallDepthsOfReleasedStacksAreExact) {
  const auto done = run_program(test_program(with_small_depths("released")), {});
  ASSERT_TRUE(done) << done.error().what;
  std::size_t used = 0;
  for (const site& each : done->seen.sites) {
    if (each.kind != bast::watch::site_kind::label) continue;
    ++used;
    EXPECT_EQ(std::to_string(each.max), each.where);
    EXPECT_EQ(each.uses, 1U);
  }
  EXPECT_EQ(used, small_depths.size());
}

TEST(Program, FilesOfAnotherMountNamespaceAreReadThroughTheProcess) {
  namespace fs = std::filesystem;
  const fs::path program(BAST_STACKS_TEST_PROGRAM);
  // Empty, except in the child, which mounts the program's directory on it.
  const fs::path place =
      fs::path(::testing::TempDir()) / ("bast-namespace-" + std::to_string(::getpid()));
  fs::create_directories(place);
  const std::string path = place / program.filename();
  constexpr int refused = 77;
  child inside({path, "depths", "5000"}, [&] {
    const bool apart =
        ::unshare(CLONE_NEWNS) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount(program.parent_path().c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0;
    if (!apart) ::_exit(refused);
  });
  if (!inside.ready()) {
    EXPECT_EQ(WEXITSTATUS(inside.wait()), refused);
    fs::remove_all(place);
    GTEST_SKIP() << "no mount namespace may be made here: it takes root";
  }
  const auto seen = open_process(inside.pid(), {});
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->program, path);
  EXPECT_FALSE(fs::exists(path));
  const auto own = std::ranges::find(seen->modules, path, &module::path);
  ASSERT_NE(own, seen->modules.end());
  EXPECT_TRUE(file_source::open(own->here));
  const auto shared = std::ranges::find_if(seen->modules, [](const module& each) {
    return each.path.find("libc.so") != each.path.npos;
  });
  ASSERT_NE(shared, seen->modules.end());
  EXPECT_EQ(shared->here, "");
  inside.wait();
  fs::remove(place);
}

TEST(Program, NoPageIsMadeResident) {
  child program(test_program({"depths", "5000", "100000", "2000000"}));
  ASSERT_TRUE(program.ready());
  const auto pages = [&](const snapshot& seen) {
    process_memory memory(program.pid());
    std::vector<std::uint64_t> edges;
    for (const live_stack& stack : seen.stacks) {
      std::vector<resident_extent> found;
      EXPECT_TRUE(memory.residency({.low = stack.open_low, .high = stack.top}, found));
      for (const resident_extent& each : found)
        edges.insert(edges.end(), {each.where.low, each.where.high});
    }
    return edges;
  };
  const auto first = open_process(program.pid(), {.live_stacks = false});
  ASSERT_TRUE(first) << first.error().what;
  const auto before = pages(*first);
  const auto second = open_process(program.pid(), {});
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(before, pages(*second));
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(program.wait(), 0);
}

TEST(Program, AHundredThousandStacksAreRead) {
  // AddressSanitizer keeps mappings for each stack, and a process can have 65,530.
  const std::size_t stacks = instrumented ? 1000 : 100'000;
  child program(test_program({"many", std::to_string(stacks)}));
  ASSERT_TRUE(program.ready());
  const auto seen = open_process(program.pid(), {});
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->stacks.size(), stacks);
  EXPECT_TRUE(std::ranges::all_of(seen->stacks, &live_stack::scanned));
  EXPECT_TRUE(std::ranges::all_of(
      seen->stacks, [](const live_stack& each) { return each.depth != 0 && each.sp != 0; }));
  RecordProperty("overhead_ns", std::to_string(seen->overhead_ns));
  EXPECT_EQ(program.wait(), 0);
}

TEST(Program, RunKeepsTheRegistryOfAProgramThatIsGone) {
  const auto done = run_program(test_program({"run", "1500", "70000"}), {});
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 7);
  EXPECT_EQ(done->seen.from, source_kind::shared_registry);
  EXPECT_TRUE(done->seen.modes & bast::watch::mode_shared);
  const site* const worker = find_site(done->seen, "worker");
  ASSERT_NE(worker, nullptr);
  EXPECT_EQ(worker->uses, 1500U);
  EXPECT_EQ(worker->max, 70'000U);
  EXPECT_EQ(worker->live, 0U);
}

TEST(Program, OfARunningOneItsForkedChildrenAreNamed) {
  const auto told = [](const char* children) {
    child program(test_program({"family", children}));
    EXPECT_TRUE(program.ready());
    const auto seen = open_process(program.pid(), {});
    EXPECT_EQ(program.wait(), 0);
    EXPECT_TRUE(seen);
    return seen ? seen->not_seen : std::vector<std::string>{};
  };
  const std::string begins = "What its forked children do: process ";
  EXPECT_THAT(told("0"), Not(Contains(HasSubstr(begins))));
  EXPECT_THAT(told("1"),
              Contains(::testing::MatchesRegex(begins + "[0-9]+; look at each by its number\\.")));
  EXPECT_THAT(
      told("2"),
      Contains(::testing::MatchesRegex(begins + "[0-9]+, [0-9]+; look at each by its number\\.")));
  EXPECT_THAT(
      told("7"),
      Contains(::testing::MatchesRegex(begins + "([0-9]+, ){4}[0-9]+ and 2 more; look .*")));
}

TEST(Program, RunSeesForkedChildren) {
  const auto done = run_program(test_program({"forks", "3", "1500", "70000"}), {});
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 7);
  const site* const before = find_site(done->seen, "before");
  ASSERT_NE(before, nullptr);
  EXPECT_EQ(before->uses, 1U);
  EXPECT_EQ(find_site(done->seen, "worker"), nullptr);
  ASSERT_EQ(done->others.size(), 3U);
  for (const snapshot& each : done->others) {
    EXPECT_NE(each.pid, done->seen.pid);
    EXPECT_FALSE(each.modules.empty()) << "frames can be named";
    const site* const worker = find_site(each, "worker");
    ASSERT_NE(worker, nullptr);
    EXPECT_EQ(worker->uses, 1500U);
    EXPECT_EQ(worker->max, 70'000U);
    EXPECT_EQ(find_site(each, "before")->uses, 0U) << "that was its parent's";
    EXPECT_EQ(each.pools.size(), 1U);
  }
}

TEST(Program, RunSeesWhatAProgramBecame) {
  const auto done = run_program(test_program({"becomes", "1500", "70000"}), {});
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 7);
  EXPECT_NE(find_site(done->seen, "before"), nullptr);
  ASSERT_EQ(done->others.size(), 1U);
  EXPECT_EQ(done->others[0].pid, done->seen.pid) << "it is the same process";
  const site* const worker = find_site(done->others[0], "worker");
  ASSERT_NE(worker, nullptr);
  EXPECT_EQ(worker->uses, 1500U);
  EXPECT_EQ(worker->max, 70'000U);
}

TEST(Program, RunKnowsHowDeepAnOverflowCame) {
  const auto done = run_program(test_program({"overflow"}), {});
  ASSERT_TRUE(done) << done.error().what;
  const site* const overflower = find_site(done->seen, "overflower");
  ASSERT_NE(overflower, nullptr);
  EXPECT_EQ(overflower->overflows, 1U);
  EXPECT_EQ(overflower->uses, 0U);
  EXPECT_GT(overflower->max, overflower->limit);
  EXPECT_LT(*margin(*overflower), 0.0);
}

TEST(Program, RunTellsTheProgramToGrowByPages) {
  const auto done = run_program(test_program({"run", "1", "70000"}), {.deepest = true});
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->seen.modes & bast::watch::mode_deepest);
}

TEST(Program, RunTellsHowASignalEndedIt) {
  const auto done = run_program(test_program({"killed", "5000"}), {});
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 128 + SIGKILL);
}

TEST(Program, RunSaysWhenThereWasNothingToSee) {
  const auto none = run_program(test_program({"none"}), {});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().what, HasSubstr("made no pool of bast; it ended with status 3"));
  EXPECT_EQ(none.error().status, 3);
  const auto well = run_program({"/bin/true"}, {});
  ASSERT_FALSE(well);
  EXPECT_EQ(well.error().status, 3);
  const auto badly = run_program({"/bin/sh", "-c", "exit 77"}, {});
  ASSERT_FALSE(badly);
  EXPECT_EQ(badly.error().status, 77);
  const auto missing = run_program({"/nowhere/no-such-program"}, {});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().what, HasSubstr("cannot start /nowhere/no-such-program"));
  EXPECT_EQ(missing.error().status, 3);
  EXPECT_EQ(run_program({}, {}).error().status, 2);
}

TEST(Program, RunLeavesOtherWordsInTheVariable) {
  ::setenv("BAST_WATCH", "deepest", 1);
  const auto done = run_program(test_program({"run", "1", "5000"}), {});
  ::unsetenv("BAST_WATCH");
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->seen.modes & bast::watch::mode_deepest);
  EXPECT_TRUE(done->seen.modes & bast::watch::mode_shared);
}

TEST(Program, ARecordingEndsWithItsDurationOrAnInterrupt) {
  child program(test_program({"depths", "5000"}));
  ASSERT_TRUE(program.ready());
  const auto seen = record({.pid = program.pid(),
                            .duration = std::chrono::milliseconds(20),
                            .every = std::chrono::milliseconds(5)});
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(find_site(*seen, "worker")->max, 5000U);
  // A pending interrupt ends it after its first look.
  sigset_t interrupt;
  sigset_t before;
  ::sigemptyset(&interrupt);
  ::sigaddset(&interrupt, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &interrupt, &before);
  ::raise(SIGINT);
  EXPECT_TRUE(record({.pid = program.pid()}));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  program.wait();
  EXPECT_FALSE(record({.pid = program.pid(), .duration = {}}));
  EXPECT_EQ(record({.pid = 1, .duration = {}, .every = {}}).error().status, 2);
}

/// Runs the program in its own directory until it dies, and reads its core.
std::optional<snapshot> core_of(const std::vector<std::string>& words) {
  const auto pattern = read_proc("/proc/sys/kernel/core_pattern", 256);
  // A sanitizer reports and exits.
  if (instrumented || !pattern || *pattern != "core\n") return std::nullopt;
  const auto directory =
      std::filesystem::path(::testing::TempDir()) / ("bast-program-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  child program(test_program(words), [&] {
    const rlimit unlimited{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_CORE, &unlimited) != 0 || ::chdir(directory.c_str()) != 0) ::_exit(77);
  });
  const int status = program.wait();
  std::optional<snapshot> seen;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!WCOREDUMP(status)) continue;
    auto core = open_core(entry.path(), {});
    EXPECT_TRUE(core) << core.error().what;
    if (core) seen = std::move(*core);
  }
  std::filesystem::remove_all(directory);
  return seen;
}

TEST(Program, ACoreShowsTheCoroutineThatCrashed) {
  const auto seen = core_of({"crash", "30000"});
  if (!seen) GTEST_SKIP() << "no core may be written here";
  ASSERT_EQ(seen->stacks.size(), 1U);
  EXPECT_TRUE(seen->stacks[0].crashed);
  EXPECT_EQ(seen->stacks[0].depth, 30'000U);
  EXPECT_EQ(seen->stacks[0].name, "crasher");
  EXPECT_EQ(seen->stacks[0].state, coro_state::running);
  EXPECT_NE(seen->stacks[0].pc, 0U);
}

TEST(Program, ACoreShowsTheCoroutineThatOverflowed) {
  const auto seen = core_of({"overflow"});
  if (!seen) GTEST_SKIP() << "no core may be written here";
  ASSERT_EQ(seen->stacks.size(), 1U);
  EXPECT_TRUE(seen->stacks[0].crashed);
  EXPECT_GT(seen->stacks[0].depth, std::uint64_t{190} << 10);
}

}  // namespace
}  // namespace bast_stacks
