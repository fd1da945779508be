// SPDX-License-Identifier: Apache-2.0
//
// Tasks registered for a thread's end run once, after the thread_locals and after the first rounds
// of other pthread keys.
#include "bast/os/thread_end.hpp"

#include <gtest/gtest.h>
#include <limits.h>
#include <pthread.h>

#include <string>
#include <thread>

#include "bast/testing/fresh_process.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

// Written by one thread at a time; join orders them.
constinit std::string* events = nullptr;

constinit thread_local thread_end_task first{.run = [] noexcept { *events += "first "; }};
constinit thread_local thread_end_task second{.run = [] noexcept { *events += "second "; }};

struct said_at_destruction {
  ~said_at_destruction() { *events += "local "; }
};

std::string events_of_a_thread(void (*body)()) {
  std::string all;
  events = &all;
  std::thread(body).join();
  events = nullptr;
  return all;
}

TEST(ThreadEnd, EachTaskRunsOnceAfterTheThreadLocalsTheLastFirst) {
  for (int life = 0; life < 3; ++life) {
    EXPECT_EQ(events_of_a_thread([] {
                EXPECT_TRUE(at_thread_end(first));
                thread_local said_at_destruction local;
                (void)local;
                EXPECT_TRUE(at_thread_end(second));
                EXPECT_TRUE(at_thread_end(first)) << "registered already";
              }),
              "local second first ");
  }
  EXPECT_EQ(events_of_a_thread([] {}), "") << "a thread without tasks";
}

TEST(ThreadEnd, ComesAfterTheValuesOfOtherPthreadKeys) {
  static const pthread_key_t key = [] {
    pthread_key_t made{};
    EXPECT_EQ(pthread_key_create(&made, [](void*) { *events += "value "; }), 0);
    return made;
  }();
  EXPECT_EQ(events_of_a_thread([] {
              EXPECT_TRUE(at_thread_end(first));
              EXPECT_EQ(pthread_setspecific(key, events), 0);
            }),
            "value first ");
}

TEST(ThreadEnd, WhatIsRegisteredInADestructorRunsToo) {
  static const pthread_key_t key = [] {
    pthread_key_t made{};
    EXPECT_EQ(
        pthread_key_create(&made, [](void*) { *events += at_thread_end(first) ? "value " : "?"; }),
        0);
    return made;
  }();
  EXPECT_EQ(events_of_a_thread([] { EXPECT_EQ(pthread_setspecific(key, events), 0); }),
            "value first ");
}

TEST(ThreadEnd, WithoutAKeyThereIsAnErrorAndLaterThereIsOne) {
  // In a new process, because this one may have the key already.
  if (BAST_EMULATED || BAST_WITH_VALGRIND) GTEST_SKIP() << "here a program cannot execute itself";
  test::expect_in_fresh_process([] {
    pthread_key_t taken[PTHREAD_KEYS_MAX];
    int count = 0;
    while (pthread_key_create(&taken[count], nullptr) == 0) ++count;
    const auto refused = at_thread_end(first);
    if (refused) return 1;
    if (refused.error().message() !=
        "os.at_thread_end: limit reached: the process has its maximum of pthread keys (1024)") {
      return 2;
    }
    pthread_key_delete(taken[0]);
    return at_thread_end(first) ? 0 : 3;
  });
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
