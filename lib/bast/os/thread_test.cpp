// SPDX-License-Identifier: Apache-2.0
#include "bast/os/thread.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <cerrno>
#include <csignal>

#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

bool is_masked(int signal_number) {
  sigset_t mask;
  EXPECT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &mask), 0);
  return ::sigismember(&mask, signal_number) == 1;
}

TEST(OsThread, RunsOnceWithItsArgumentAndWithoutTheProcesssSignals) {
  struct seen {
    int runs = 0;
    bool interrupt = false;
    bool fault = false;
  } saw;
  auto made = thread::start(
      [](void* argument) -> void* {
        auto& mine = *static_cast<seen*>(argument);
        ++mine.runs;
        mine.interrupt = is_masked(SIGINT);
        mine.fault = is_masked(SIGSEGV);
        return nullptr;
      },
      &saw);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->joinable());
  thread moved = std::move(*made);
  EXPECT_FALSE(made->joinable());
  moved.join();
  EXPECT_EQ(saw.runs, 1);
  EXPECT_TRUE(saw.interrupt);
  EXPECT_FALSE(saw.fault);
  EXPECT_FALSE(is_masked(SIGINT)) << "the caller's mask is as before";
}

TEST(OsThread, ARefusalIsALimitOrNoMemory) {
  for (const auto& [number, kind] : {std::pair{EAGAIN, errc::limit}, {ENOMEM, errc::no_memory}}) {
    const fault_scope fault({.kind = call::thread, .nth = 1, .error_number = number});
    EXPECT_EQ(thread::start(nullptr, nullptr).error(), kind);
  }
  EXPECT_FALSE(is_masked(SIGINT));
}

TEST(OsThread, OneThatWasNotJoinedDoesNotEnd) {
  EXPECT_DEATH(
      { auto made = thread::start([](void*) -> void* { return nullptr; }, nullptr).value(); },
      "was not joined");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
