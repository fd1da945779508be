// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "read/open.hpp"
#include "read/process_memory.hpp"
#include "read/testing/fake_registry.hpp"

namespace bast_stacks {
namespace {

using bast::watch::coro_state;
using ::testing::Contains;
using testing::fake_registry;
using ::testing::HasSubstr;

snapshot look() {
  auto seen = open_process(::getpid(), {});
  EXPECT_TRUE(seen) << (seen ? "" : seen.error().what);
  return seen ? std::move(*seen) : snapshot{};
}

const site* find_site(const snapshot& in, std::string_view where) {
  for (const site& each : in.sites) {
    if (each.where == where) return &each;
  }
  return nullptr;
}

TEST(OpenProcess, TellsWhatTheProgramIs) {
  fake_registry fake;
  fake.header().built = bast::watch::built_hardened;
  const snapshot seen = look();
  EXPECT_EQ(seen.from, source_kind::live);
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

TEST(OpenProcess, DepthsAreExactToTheByte) {
  const std::uint64_t depths[] = {1,
                                  8,
                                  100,
                                  4095,
                                  4096,
                                  4097,
                                  6000,
                                  32 << 10,
                                  (32 << 10) + 1,
                                  100'000,
                                  1 << 20,
                                  (1 << 20) + 63,
                                  4 << 20,
                                  (4 << 20) + 65};
  fake_registry fake({.slots = std::size(depths), .stride = 8 << 20});
  for (std::size_t i = 0; i < std::size(depths); ++i) fake.use(i, 1, depths[i]);
  const snapshot seen = look();
  ASSERT_EQ(seen.stacks.size(), std::size(depths));
  for (std::size_t i = 0; i < std::size(depths); ++i) {
    const live_stack& stack = seen.stacks[i];
    EXPECT_TRUE(stack.scanned);
    EXPECT_EQ(stack.depth, depths[i]);
    EXPECT_EQ(stack.depth_at_most, (depths[i] + 4095) / 4096 * 4096);
    EXPECT_EQ(stack.top, reinterpret_cast<std::uint64_t>(fake.top(i)));
  }
  EXPECT_EQ(find_site(seen, "worker")->max, depths[std::size(depths) - 1]);
}

TEST(OpenProcess, PagesOfZerosAreBetweenTheTwoNumbers) {
  fake_registry fake;
  fake.use(0, 1, 100);
  // Written, but with zeros: three pages further down, and one without any neighbour.
  for (const std::uint64_t down : {4097U, 8193U, 12289U, 28000U})
    *const_cast<volatile std::byte*>(fake.top(0) - down) = std::byte{0};
  const snapshot seen = look();
  ASSERT_EQ(seen.stacks.size(), 1U);
  EXPECT_EQ(seen.stacks[0].depth, 100U);
  EXPECT_EQ(seen.stacks[0].depth_at_most, 28'672U);
  EXPECT_EQ(seen.stacks[0].resident, 5U * 4096);
}

TEST(OpenProcess, MakesNoPageResident) {
  fake_registry fake({.slots = 64});
  for (std::size_t i = 0; i < 64; ++i) fake.use(i, 1, 64 * i);
  std::vector<unsigned char> before(64 * 64);
  std::vector<unsigned char> after(64 * 64);
  ASSERT_EQ(::mincore(fake.stacks(), before.size() * 4096, before.data()), 0);
  const snapshot seen = look();
  ASSERT_EQ(::mincore(fake.stacks(), after.size() * 4096, after.data()), 0);
  EXPECT_EQ(seen.stacks.size(), 64U);
  EXPECT_EQ(before, after);
}

TEST(OpenProcess, APageThatWasOnlyReadIsNotUsed) {
  fake_registry fake;
  fake.use(0, 1, 0);
  volatile std::byte zero = *(fake.top(0) - 20'000);
  (void)zero;
  process_memory own(::getpid());
  std::vector<resident_extent> found;
  const auto top = reinterpret_cast<std::uint64_t>(fake.top(0));
  ASSERT_TRUE(own.residency({.low = top - 32'768, .high = top}, found));
  EXPECT_TRUE(found.empty());
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
  EXPECT_EQ(seen.stacks[1].name, "second?[31m");
  EXPECT_EQ(seen.stacks[1].state, coro_state::running);
  EXPECT_EQ(seen.stacks[1].sp, 0U);
  EXPECT_EQ(seen.stacks[2].state, coro_state::suspended);
}

TEST(OpenProcess, ARecordThatIsAlwaysBeingWrittenDoesNotHangTheReader) {
  fake_registry fake;
  fake.site(1).sequence = 1;
  fake.site(1).uses = 4;
  fake.site(0).deepest.sequence = 3;
  fake.site(0).deepest.depth = 100;
  const snapshot seen = look();
  EXPECT_EQ(find_site(seen, "worker")->uses, 4U);
  EXPECT_EQ(find_site(seen, "(other)")->raw.depth, 0U);
  EXPECT_THAT(seen.not_seen, Contains(HasSubstr("Sites that were being written")));
  EXPECT_THAT(seen.not_seen, Contains(HasSubstr("Deepest stacks that were being written")));
}

TEST(OpenProcess, PoisonIsNoUse) {
  fake_registry fake;
  fake.pool(0).scrub = 2;
  std::memset(fake.top(0) - 8192, 0xfb, 8192);
  fake.use(0, 1, 300);
  const snapshot seen = look();
  EXPECT_EQ(seen.stacks.at(0).depth, 300U);
  EXPECT_EQ(seen.stacks.at(0).depth_at_most, 8192U);
}

TEST(OpenProcess, RefusesAnotherVersionAndNamesBoth) {
  fake_registry fake;
  fake.header().version_major = 9;
  const auto seen = open_process(::getpid(), {});
  // A real registry in the test program, if there is one, is still read.
  if (!seen) {
    EXPECT_THAT(seen.error().what, HasSubstr("has version 9.0; this program reads version 1"));
    EXPECT_EQ(seen.error().status, 3);
  } else {
    EXPECT_THAT(seen->not_seen, Contains(HasSubstr("has version 9.0")));
  }
}

TEST(OpenProcess, AHundredThousandStacksAreRead) {
  constexpr std::uint32_t stacks = 100'000;
  fake_registry fake({.slots = stacks});
  for (std::size_t i = 0; i < stacks; ++i) {
    fake.use(i, 1, 200 + i % 3000, "one of many");
    fake.run(i, coro_state::suspended).sp = reinterpret_cast<std::uint64_t>(fake.top(i)) - 128;
  }
  const snapshot seen = look();
  ASSERT_EQ(seen.stacks.size(), stacks);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < stacks; ++i)
    wrong += seen.stacks[i].depth != 200 + i % 3000 || seen.stacks[i].name != "one of many";
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(find_site(seen, "worker")->live, stacks);
  RecordProperty("overhead_ns", std::to_string(seen.overhead_ns));
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
  // cat answers: from then on it is cat.
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
  EXPECT_THAT(seen.error().what, HasSubstr("is no program built with bast"));
}

}  // namespace
}  // namespace bast_stacks
