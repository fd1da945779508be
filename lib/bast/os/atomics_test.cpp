// SPDX-License-Identifier: Apache-2.0
//
// Waiting in the kernel, and the lock. stress/interleave runs the lock through every interleaving;
// here it is told what each access must be.
#include "bast/os/atomics.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "bast/os/door.hpp"
#include "bast/os/process.hpp"
#include "bast/testing/asleep.hpp"

namespace bast::os {
namespace {

/// A thread that sleeps on `word` until it is not 0.
class sleeper {
 public:
  explicit sleeper(const std::atomic<std::uint32_t>& word)
      : thread_([this, &word] {
          id_.store(thread_id());
          while (word.load() == 0) real_atomics::wait(word, 0);
        }) {
    while (id_.load() == 0) ::sched_yield();
    test::wait_until_asleep(id_.load());
  }
  ~sleeper() { thread_.join(); }
  sleeper(const sleeper&) = delete;
  sleeper& operator=(const sleeper&) = delete;

  void sleeps_again() const { test::wait_until_asleep(id_.load()); }

 private:
  std::atomic<std::uint32_t> id_{0};
  std::thread thread_;
};

TEST(Atomics, AWaitForAnotherValueReturnsAtOnce) {
  const std::atomic<std::uint32_t> word{1};
  real_atomics::wait(word, 0);
  real_atomics::wait(word, 2);
}

TEST(Atomics, WakeAllWakesEverySleeper) {
  std::atomic<std::uint32_t> word{0};
  const sleeper first(word);
  const sleeper second(word);
  const sleeper third(word);
  word.store(1);
  real_atomics::wake_all(&word);
}

TEST(Atomics, WakeOneWakesOne) {
  std::atomic<std::uint32_t> word{0};
  const fault_scope waits({.kind = call::futex_wait});
  {
    const sleeper first(word);
    const sleeper second(word);
    const std::uint64_t before = waits.seen();
    real_atomics::wake_one(&word);
    while (waits.seen() == before) ::sched_yield();
    first.sleeps_again();
    second.sleeps_again();
    EXPECT_EQ(waits.seen(), before + 1) << "one of them looked again";
    word.store(1);
    real_atomics::wake_one(&word);
    real_atomics::wake_one(&word);
  }
}

TEST(Atomics, WakingWhereNobodySleepsDoesNothing) {
  const std::atomic<std::uint32_t> word{0};
  real_atomics::wake_one(&word);
  real_atomics::wake_all(&word);
  real_atomics::wake_all(nullptr);  // What ceased to exist: only the address counts.
}

TEST(Atomics, ARefusedWaitReturnsAndItsCallerLooksAgain) {
  const std::atomic<std::uint32_t> word{0};
  for (const int error_number : {EAGAIN, EINTR, ENOSYS, EPERM}) {
    const fault_scope fault({.kind = call::futex_wait, .nth = 1, .error_number = error_number});
    real_atomics::wait(word, 0);
    EXPECT_EQ(fault.seen(), 1U);
  }
}

TEST(Atomics, EachThreadIsAnother) {
  const std::uintptr_t mine = real_atomics::self();
  std::uintptr_t theirs = mine;
  std::thread([&] { theirs = real_atomics::self(); }).join();
  EXPECT_NE(mine, 0U);
  EXPECT_NE(theirs, 0U);
  EXPECT_NE(theirs, mine);
  EXPECT_EQ(real_atomics::self(), mine);
}

/// Says of each access what it was. `wait` lets the holder unlock, as another thread would.
struct recording_atomics {
  static inline std::string log;
  static inline void (*during_wait)() = nullptr;

  static const char* name_of(std::memory_order order) {
    // Words, of which none pairs with another.
    return order == std::memory_order_acquire   ? " acquire"
           : order == std::memory_order_release ? " release"
           : order == std::memory_order_relaxed ? " relaxed"
                                                : " other";
  }

  template <class T>
  class atomic {
   public:
    explicit atomic(T value) : value_(value) {}
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order failure) {
      log += "exchange " + std::to_string(expected) + " for " + std::to_string(desired) +
             name_of(success) + name_of(failure) + "; ";
      return value_.compare_exchange_strong(expected, desired);
    }
    T exchange(T desired, std::memory_order order) {
      const T before = value_.exchange(desired);
      log += "put " + std::to_string(desired) + name_of(order) + ", was " + std::to_string(before) +
             "; ";
      return before;
    }

   private:
    std::atomic<T> value_;
  };

  static void wait(const atomic<std::uint32_t>&, std::uint32_t expected) {
    log += "wait for " + std::to_string(expected) + "; ";
    if (during_wait != nullptr) during_wait();
  }
  static void wake_one(const atomic<std::uint32_t>*) { log += "wake one; "; }
};

/// The lock, and what was done to it since the last look.
class LockSteps : public ::testing::Test {
 protected:
  void SetUp() override {
    recording_atomics::log.clear();
    recording_atomics::during_wait = nullptr;
  }
  static std::string done() { return std::exchange(recording_atomics::log, ""); }
  static inline basic_lock<recording_atomics>* shared = nullptr;
};

TEST_F(LockSteps, WithoutAnotherThreadNobodyWaitsAndNobodyIsWoken) {
  basic_lock<recording_atomics> lock;
  for (int round = 0; round < 2; ++round) {
    lock.lock();
    EXPECT_EQ(done(), "exchange 0 for 1 acquire relaxed; ");
    lock.unlock();
    EXPECT_EQ(done(), "put 0 release, was 1; ");
  }
}

TEST_F(LockSteps, WhoFindsItTakenSaysSoSleepsAndIsWoken) {
  basic_lock<recording_atomics> lock;
  shared = &lock;
  lock.lock();
  (void)done();
  recording_atomics::during_wait = [] {
    recording_atomics::during_wait = nullptr;
    shared->unlock();
  };
  lock.lock();
  EXPECT_EQ(done(),
            "exchange 0 for 1 acquire relaxed; put 2 acquire, was 1; wait for 2; "
            "put 0 release, was 2; wake one; put 2 acquire, was 0; ");
  // Another thread may sleep still: who slept cannot know, and wakes.
  lock.unlock();
  EXPECT_EQ(done(), "put 0 release, was 2; wake one; ");
  lock.lock();
  EXPECT_EQ(done(), "exchange 0 for 1 acquire relaxed; ") << "afterwards it is as new";
  lock.unlock();
}

TEST_F(LockSteps, AWaitThatReturnsForNoReasonIsRepeated) {
  basic_lock<recording_atomics> lock;
  shared = &lock;
  lock.lock();
  (void)done();
  recording_atomics::during_wait = [] {
    recording_atomics::during_wait = [] { shared->unlock(); };
  };
  lock.lock();
  EXPECT_EQ(done(),
            "exchange 0 for 1 acquire relaxed; put 2 acquire, was 1; wait for 2; "
            "put 2 acquire, was 2; wait for 2; put 0 release, was 2; wake one; "
            "put 2 acquire, was 0; ");
}

TEST(Lock, OneThreadAtATimeAndASleeperIsWoken) {
  lock mutex;
  int inside = 0;
  std::atomic<std::uint32_t> id{0};
  mutex.lock();
  std::thread other([&] {
    id.store(thread_id());
    mutex.lock();
    ++inside;
    mutex.unlock();
  });
  while (id.load() == 0) ::sched_yield();
  test::wait_until_asleep(id.load());
  EXPECT_EQ(inside, 0);
  mutex.unlock();
  other.join();
  EXPECT_EQ(inside, 1);
  mutex.lock();
  mutex.unlock();
}

}  // namespace
}  // namespace bast::os
