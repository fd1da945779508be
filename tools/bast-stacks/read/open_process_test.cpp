// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "read/open.hpp"
#include "read/process_memory.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/fake_time.hpp"
#include "read/testing/reading.hpp"

namespace bast_stacks {
namespace {

using bast::watch::coro_state;
using ::testing::Contains;
using testing::fake_registry;
using testing::find_site;
using ::testing::HasSubstr;
using testing::look;

TEST(OpenProcess, TellsWhatTheProgramIs) {
  fake_registry fake;
  fake.header().built = bast::watch::built_hardened;
  const snapshot seen = look();
  EXPECT_EQ(seen.from, source_kind::live);
  EXPECT_EQ(seen.what, "process " + std::to_string(::getpid()));
  EXPECT_THAT(seen.not_seen, Not(Contains(HasSubstr("Which files"))));
  EXPECT_EQ(seen.pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_THAT(seen.program, HasSubstr("bast_stacks_read_test"));
  EXPECT_THAT(seen.library, HasSubstr("bast 0.0.fake"));
  EXPECT_TRUE(seen.built & bast::watch::built_hardened);
  ASSERT_FALSE(seen.modules.empty());
  const auto here = reinterpret_cast<std::uint64_t>(&find_site);
  const auto own = std::ranges::find_if(
      seen.modules, [&](const module& m) { return m.low <= here && here < m.high; });
  ASSERT_NE(own, seen.modules.end());
  EXPECT_EQ(own->path, seen.program);
  EXPECT_EQ(own->base, own->low);
}

TEST(OpenProcess, CountsAddUpOverPoolsAndThoseThatAreGone) {
  fake_registry fake;
  auto& one = fake.add_site(1, bast::watch::site_kind::source, "a.cpp");
  one.line = 7;
  one.uses = one.samples = 2;
  one.grows = 1;
  one.max = 5000;
  one.histogram[bast::watch::bucket_of(100)] = 1;
  one.histogram[bast::watch::bucket_of(5000)] = 1;
  auto& gone = fake.add_site(2, bast::watch::site_kind::source, "a.cpp");
  gone = one;
  gone.state = static_cast<std::uint32_t>(bast::watch::entry_state::closed);
  gone.pool = bast::watch::no_index;
  gone.limit = 1 << 20;
  gone.max = 9000;
  auto& other_line = fake.add_site(3, bast::watch::site_kind::source, "a.cpp");
  other_line.line = 8;

  const snapshot seen = look();
  const site* const both = find_site(seen, "a.cpp");
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(both->line, 7U);
  EXPECT_EQ(both->uses, 4U);
  EXPECT_EQ(both->samples, 4U);
  EXPECT_EQ(both->grows, 2U);
  EXPECT_EQ(both->max, 9000U);
  EXPECT_EQ(both->limit, std::uint64_t{192 << 10});
  ASSERT_EQ(both->histogram.size(), 2U);
  EXPECT_EQ(both->histogram[1].index, bast::watch::bucket_of(5000));
  EXPECT_EQ(both->histogram[1].count, 2U);
  EXPECT_EQ(both->pools, std::vector<std::uint64_t>{1});
  EXPECT_TRUE(std::ranges::is_sorted(
      seen.sites, {}, [](const site& s) { return std::tuple(s.where, s.line, s.column); }));
}

TEST(OpenProcess, UsesThatAreNotMeasuredYetArePending) {
  fake_registry fake;
  fake.site(1).uses = 10;
  for (std::size_t i = 0; i < 3; ++i) {
    fake.slot(i).site = 1;
    fake.slot(i).period = 100;
    fake.slot(i).countdown = 95;
    fake.slot(i).grows = 2;
  }
  fake.use(2, 1, 640);
  const snapshot seen = look();
  const site* const worker = find_site(seen, "worker");
  ASSERT_NE(worker, nullptr);
  EXPECT_EQ(worker->uses, 25U);
  EXPECT_EQ(worker->pending, 15U);
  EXPECT_EQ(worker->grows, 6U);
  EXPECT_EQ(worker->live, 1U);
  EXPECT_EQ(worker->held, 3U);
  ASSERT_EQ(seen.stacks.size(), 1U);
  EXPECT_TRUE(seen.stacks[0].shared_with_earlier);
  ASSERT_EQ(seen.pools.size(), 1U);
  EXPECT_EQ(seen.pools[0].stacks, 8U);
  EXPECT_EQ(seen.pools[0].live, 1U);
}

TEST(OpenProcess, WhatEarlierUsesLeftIsThereThoughTheProcessCountedThem) {
  fake_registry fake;
  fake.site(1).uses = 10;
  fake.use(2, 1, 640).sampled = static_cast<std::uint8_t>(bast::watch::slot_sampling::told);
  fake.use(3, 1, 640).sampled = static_cast<std::uint8_t>(bast::watch::slot_sampling::yes);
  const snapshot seen = look();
  const site* const worker = find_site(seen, "worker");
  ASSERT_NE(worker, nullptr);
  EXPECT_EQ(worker->uses, 10U);
  EXPECT_EQ(worker->pending, 0U);
  ASSERT_EQ(seen.stacks.size(), 2U);
  EXPECT_TRUE(seen.stacks[0].shared_with_earlier);
  EXPECT_FALSE(seen.stacks[1].shared_with_earlier);
}

TEST(OpenProcess, SuspendedCoroutinesTellWhereTheyContinue) {
  fake_registry fake({.slots = 70});
  fake.use(0, 1, 100, "first");
  fake.use(1, 1, 100, "second\x1b[31m");
  fake.use(69, 1, 100);
  const auto top = reinterpret_cast<std::uint64_t>(fake.top(0));
  fake.run(0, coro_state::suspended, bast::watch::coro_flag_parked).sp = top - 512;
  fake.block(0).pc = 0x1234;
  fake.block(0).fp = 0x5678;
  fake.block(0).sp = top - 512;
  fake.run(1, coro_state::running).sp = 99;
  // Beyond the head of the second group.
  fake.run(69, coro_state::suspended).sp = reinterpret_cast<std::uint64_t>(fake.top(69)) - 64;

  const snapshot seen = look();
  ASSERT_EQ(seen.stacks.size(), 3U);
  EXPECT_EQ(seen.stacks[0].name, "first");
  EXPECT_EQ(seen.stacks[0].state, coro_state::suspended);
  EXPECT_TRUE(seen.stacks[0].parked);
  EXPECT_EQ(seen.stacks[0].sp, top - 512);
  EXPECT_EQ(seen.stacks[0].pc, 0x1234U);
  EXPECT_EQ(seen.stacks[0].fp, 0x5678U);
  EXPECT_EQ(seen.stacks[0].depth, 512U) << "at least down to its stack pointer";
  EXPECT_EQ(seen.stacks[0].coro, reinterpret_cast<std::uint64_t>(&fake.block(0)));
  EXPECT_EQ(seen.stacks[1].name, "second\ufffd[31m");
  EXPECT_EQ(seen.stacks[1].state, coro_state::running);
  EXPECT_EQ(seen.stacks[1].sp, 0U);
  EXPECT_EQ(seen.stacks[2].state, coro_state::suspended);
}

TEST(OpenProcess, ARecordThatIsAlwaysBeingWrittenDoesNotHangTheReader) {
  fake_registry fake;
  fake.site(1).sequence = 1;
  fake.site(1).uses = 4;
  fake.site(0).uses = 5;
  fake.site(0).deepest.sequence = 3;
  fake.site(0).deepest.depth = 100;
  const snapshot seen = look();
  EXPECT_EQ(find_site(seen, "worker")->uses, 4U);
  EXPECT_EQ(find_site(seen, "(other)")->raw.depth, 0U);
  EXPECT_THAT(seen.not_seen, Contains(HasSubstr("Sites that were being written")));
  EXPECT_THAT(seen.not_seen, Contains(HasSubstr("Deepest stacks that were being written")));
}

TEST(OpenProcess, NumbersOfARecordBelongTogether) {
  fake_registry fake;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    auto& entry = fake.site(1);
    const std::atomic_ref<std::uint32_t> sequence(entry.sequence);
    const auto spend = [&](int steps) {
      for (int i = 0; i < steps; ++i) std::atomic_ref(entry.unused[0]).fetch_add(1);
    };
    while (!done) {
      sequence.fetch_add(1);
      std::atomic_ref(entry.uses).fetch_add(1);
      spend(500);
      std::atomic_ref(entry.samples).fetch_add(1);
      std::atomic_ref(entry.histogram[3]).fetch_add(1);
      sequence.fetch_add(1);
      spend(5000);  // Most of the time no thread writes.
    }
  });
  for (int i = 0; i < 300; ++i) {
    const snapshot seen = look();
    const site* const worker = find_site(seen, "worker");
    const bool torn = std::ranges::any_of(seen.not_seen, [](const std::string& each) {
      return each.starts_with("Sites that were being written");
    });
    if (torn) continue;
    EXPECT_EQ(worker->uses, worker->samples);
    const std::uint64_t counted = worker->histogram.empty() ? 0 : worker->histogram[0].count;
    EXPECT_EQ(worker->uses, counted);
  }
  done = true;
  writer.join();
}

TEST(OpenProcess, RefusesAnotherVersionAndNamesBoth) {
  fake_registry fake;
  fake.header().version_major = 9;
  const auto seen = open_process(::getpid(), {});
  // A real registry in the test program, if there is one, is still read.
  if (!seen) {
    EXPECT_THAT(seen.error().what, HasSubstr("has version 9.3; this program reads version 1"));
    EXPECT_EQ(seen.error().status, 3);
  } else {
    EXPECT_THAT(seen->not_seen, Contains(HasSubstr("has version 9.0")));
  }
}

TEST(OpenProcess, ReadsAnotherProcessWithoutStoppingIt) {
  fake_registry fake;
  fake.use(3, 1, 1234);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  const auto seen = open_process(child, {});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(seen) << seen.error().what;
  ASSERT_EQ(seen->stacks.size(), 1U);
  EXPECT_EQ(seen->stacks[0].depth, 1234U);
}

TEST(OpenProcess, AStoppedProcessIsRead) {
  fake_registry fake;
  fake.use(3, 1, 1234);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ::kill(child, SIGSTOP);
  int status = 0;
  ::waitpid(child, &status, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  const auto seen = open_process(child, {});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->stacks.at(0).depth, 1234U);
}

TEST(OpenProcess, SaysHowLongItTook) {
  fake_registry fake;
  testing::fake_time time;
  time.step_ns = 1'234;  // from its first question to its last
  EXPECT_EQ(look().overhead_ns, 1'234U);
  // And the age of a site's deepest use, on the same clock, which is read first.
  fake.site(1).max = 100;
  fake.site(1).max_at_ns = static_cast<std::uint64_t>(time.now_ns);
  const snapshot seen = look();
  EXPECT_EQ(find_site(seen, "worker")->max_age_ns, 1'234U);
}

TEST(OpenProcess, SaysThatAProcessHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const auto zombie = open_process(child, {});
  ASSERT_FALSE(zombie);
  EXPECT_THAT(zombie.error().what, HasSubstr("has ended"));
  ::waitpid(child, nullptr, 0);
  const auto gone = open_process(child, {});
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().what, HasSubstr("there is no process"));
  EXPECT_EQ(gone.error().status, 3);
}

TEST(OpenProcess, SaysThatAProgramIsNotOfBast) {
  // Once cat answers, the child has become cat.
  int to[2];
  int from[2];
  ASSERT_EQ(::pipe2(to, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(from, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(to[0], 0);
    ::dup2(from[1], 1);
    ::execl("/bin/cat", "cat", nullptr);
    ::_exit(1);
  }
  char byte = 'x';
  ASSERT_EQ(::write(to[1], &byte, 1), 1);
  ASSERT_EQ(::read(from[0], &byte, 1), 1);
  const auto seen = open_process(child, {});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int fd : {to[0], to[1], from[0], from[1]}) ::close(fd);
  ASSERT_FALSE(seen);
  EXPECT_THAT(seen.error().what, HasSubstr("is not a program built with bast"));
}

}  // namespace
}  // namespace bast_stacks
