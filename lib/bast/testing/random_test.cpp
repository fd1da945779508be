// SPDX-License-Identifier: Apache-2.0
//
// The generator that makes every randomised test repeatable, and the check whether a thread sleeps.
#include "bast/testing/random.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

#include "bast/testing/asleep.hpp"

namespace bast::test {
namespace {

TEST(RandomNumbers, AreThoseOfSplitmix64) {
  // Vigna's reference program, seeded with 1234567.
  constexpr std::uint64_t published[] = {6457827717110365317U, 3203168211198807973U,
                                         9817491932198370423U, 4593380528125082431U,
                                         16408922859458223821U};
  random_numbers numbers(1234567);
  for (const std::uint64_t number : published) EXPECT_EQ(numbers.next(), number);
  random_numbers again(1234567);
  for (const std::uint64_t number : published) EXPECT_EQ(again.below(1000), number % 1000);
}

TEST(RandomNumbers, OfATestAnnounceHowToRepeatThem) {
  const char* const chosen = std::getenv("BAST_SEED");
  const std::string before = chosen == nullptr ? "" : chosen;
  const std::string end = " --gtest_filter=RandomNumbers.OfATestAnnounceHowToRepeatThem\n";
  ::unsetenv("BAST_SEED");
  testing::internal::CaptureStdout();
  random_numbers usual = random_numbers::of_this_test();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "reproduce with: BAST_SEED=47703" + end);
  EXPECT_EQ(usual.next(), random_numbers(0xba57).next());
  ::setenv("BAST_SEED", "0x10", 1);
  testing::internal::CaptureStdout();
  random_numbers other = random_numbers::of_this_test();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "reproduce with: BAST_SEED=16" + end);
  EXPECT_EQ(other.next(), random_numbers(16).next());
  ::unsetenv("BAST_SEED");
  if (chosen != nullptr) ::setenv("BAST_SEED", before.c_str(), 1);
}

TEST(Asleep, IsAThreadThatWaitsInTheKernelAndNoOther) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  std::atomic<std::uint32_t> id{0};
  std::thread reader([&] {
    id.store(static_cast<std::uint32_t>(::gettid()));
    char byte;
    (void)!::read(ends[0], &byte, 1);
  });
  while (id.load() == 0) ::sched_yield();
  wait_until_asleep(id.load());
  EXPECT_TRUE(is_asleep(id.load()));
  EXPECT_FALSE(is_asleep(static_cast<std::uint32_t>(::gettid()))) << "the caller runs";
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  EXPECT_FALSE(is_asleep(0)) << "no such thread";
}

}  // namespace
}  // namespace bast::test
