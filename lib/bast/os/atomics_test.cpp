// SPDX-License-Identifier: Apache-2.0
//
// Futex waits, and the lock. stress/interleave runs the lock through every interleaving; these
// tests check each access.
#include "bast/os/atomics.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "bast/os/clock.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/os/process.hpp"
#include "bast/testing/asleep.hpp"

namespace bast::inline BAST_ABI::os {
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

 private:
  std::atomic<std::uint32_t> id_{0};
  std::thread thread_;
};

TEST(Atomics, AWaitForAnotherValueReturnsAtOnce) {
  const std::atomic<std::uint32_t> word{1};
  real_atomics::wait(word, 0);
  real_atomics::wait(word, 2);
}

TEST(RealAtomics, AWaitUntilATimeIsNotEarlyAndEndsBeforeItOnlyByTheWord) {
  std::atomic<std::uint32_t> word{1};
  for (const std::int64_t ahead : {-1'000'000, 0, 1, 1'000'000}) {
    const std::int64_t deadline = monotonic_ns() + ahead;
    while (!real_atomics::wait_until(word, 1, deadline)) {
    }
    EXPECT_GE(monotonic_ns(), deadline);
  }
  const std::int64_t far = monotonic_ns() + 3'600'000'000'000;
  EXPECT_FALSE(real_atomics::wait_until(word, 0, far)) << "it differs";
  EXPECT_FALSE(real_atomics::wait_until(word, 0, 0)) << "it differs, so the time is not looked at";
  std::atomic<std::uint32_t> id{0};
  bool expired = false;
  std::thread sleeper([&] {
    id.store(thread_id());
    while (word.load() == 1) expired = real_atomics::wait_until(word, 1, far);
  });
  while (id.load() == 0) ::sched_yield();
  test::wait_until_asleep(id.load());
  word.store(2);
  real_atomics::wake_all(&word);
  sleeper.join();
  EXPECT_FALSE(expired);
}

TEST(RealAtomics, ARefusedWaitUntilATimeEndsByTheClock) {
  const std::atomic<std::uint32_t> word{1};
  for (const int error_number : {EINTR, EPERM, ENOSYS, ETIMEDOUT}) {
    const fault_scope fault(
        {.kind = call::futex_wait, .nth = 1, .persistent = true, .error_number = error_number});
    const std::int64_t deadline = monotonic_ns() + 100'000;
    while (!real_atomics::wait_until(word, 1, deadline)) {
    }
    EXPECT_GE(monotonic_ns(), deadline);
  }
}

TEST(Atomics, WakeAllWakesEverySleeper) {
  std::atomic<std::uint32_t> word{0};
  const sleeper first(word);
  const sleeper second(word);
  const sleeper third(word);
  word.store(1);
  real_atomics::wake_all(&word);
}

TEST(Atomics, WakingWhereNobodySleepsDoesNothing) {
  const std::atomic<std::uint32_t> word{0};
  real_atomics::wake_all(&word);
  real_atomics::wake_all(nullptr);  // Need not exist: only the address counts.
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

/// Logs every access. `relax` lets the holder unlock, as another thread would.
struct recording_atomics {
  static inline std::string log;
  static inline void (*during_relax)() = nullptr;

  static const char* name_of(std::memory_order order) {
    // As words; none of them pairs with another.
    return order == std::memory_order_acquire   ? " acquire"
           : order == std::memory_order_release ? " release"
           : order == std::memory_order_relaxed ? " relaxed"
                                                : " other";
  }

  template <class T>
  class atomic {
   public:
    explicit atomic(T value) : value_(value) {}
    T load(std::memory_order order) const {
      log += "look" + std::string(name_of(order)) + ", is " + std::to_string(value_) + "; ";
      return value_;
    }
    void store(T desired, std::memory_order order) {
      value_ = desired;
      log += "put " + std::to_string(desired) + name_of(order) + "; ";
    }
    T exchange(T desired, std::memory_order order) {
      const T before = std::exchange(value_, desired);
      log += "put " + std::to_string(desired) + name_of(order) + ", was " + std::to_string(before) +
             "; ";
      return before;
    }

   private:
    T value_;
  };

  static void relax(unsigned round) {
    log += "relax " + std::to_string(round) + "; ";
    if (during_relax != nullptr) std::exchange(during_relax, nullptr)();
  }
};

/// The lock, and the log of its accesses since the last check.
class LockSteps : public ::testing::Test {
 protected:
  void SetUp() override {
    recording_atomics::log.clear();
    recording_atomics::during_relax = nullptr;
  }
  static std::string done() { return std::exchange(recording_atomics::log, ""); }
  static inline basic_lock<recording_atomics>* shared = nullptr;
};

TEST_F(LockSteps, WithoutAnotherThreadNothingIsLookedAtTwice) {
  basic_lock<recording_atomics> lock;
  for (int round = 0; round < 2; ++round) {
    lock.lock();
    EXPECT_EQ(done(), "put 1 acquire, was 0; ");
    lock.unlock();
    EXPECT_EQ(done(), "put 0 release; ");
  }
}

TEST_F(LockSteps, WhoFindsItTakenLooksUntilItIsFree) {
  basic_lock<recording_atomics> lock;
  shared = &lock;
  lock.lock();
  (void)done();
  recording_atomics::during_relax = [] {
    recording_atomics::during_relax = [] { shared->unlock(); };
  };
  lock.lock();
  EXPECT_EQ(done(),
            "put 1 acquire, was 1; relax 0; look relaxed, is 1; relax 1; put 0 release; "
            "look relaxed, is 0; put 1 acquire, was 0; ");
  lock.unlock();
}

TEST_F(LockSteps, WhoIsForestalledGoesOnLooking) {
  basic_lock<recording_atomics> lock;
  shared = &lock;
  lock.lock();
  (void)done();
  static bool forestalled = false;
  recording_atomics::during_relax = [] {
    shared->unlock();
    // Between the load and the exchange another thread takes the lock: to this one it looks as if
    // it was never free.
    forestalled = true;
    shared->lock();
    recording_atomics::during_relax = [] { shared->unlock(); };
  };
  lock.lock();
  EXPECT_TRUE(forestalled);
  EXPECT_EQ(done(),
            "put 1 acquire, was 1; relax 0; put 0 release; put 1 acquire, was 0; "
            "look relaxed, is 1; relax 1; put 0 release; look relaxed, is 0; "
            "put 1 acquire, was 0; ");
}

TEST(Lock, OneThreadAtATimeAndWhoWaitsSleeps) {
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
}  // namespace bast::inline BAST_ABI::os
