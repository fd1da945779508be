// SPDX-License-Identifier: Apache-2.0
//
// A sampling profiler: signals at any instruction of threads that switch, start, unwind and grow,
// with an unwinder in the handler. The processor's trap flag takes a sample at each instruction
// until there are enough, so the result does not depend on a timer or a second thread.
// arch/x86_64/step_test.cpp defines what a walk must find; here the whole library surrounds a
// switch.
#include <dlfcn.h>
#include <execinfo.h>
#include <gtest/gtest.h>
#include <ucontext.h>
#include <unwind.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "bast/coro.hpp"
#include "bast/testing/emulation.hpp"

namespace bast {
namespace {

using namespace bast::literals;

constexpr int sampled_frames_max = 64;

constinit std::atomic<int> samples{0};
constinit std::atomic<int> endless_walks{0};
constinit int samples_wanted = 0;

/// Returns true in libgcc: while it installs the context in which an exception continues, its own
/// frames belong to neither context.
bool is_in_the_unwinder([[maybe_unused]] void* context) {
#if defined(__x86_64__)
  const auto pc = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  Dl_info where{};
  Dl_info unwinder{};
  return ::dladdr(reinterpret_cast<void*>(pc), &where) != 0 &&
         ::dladdr(reinterpret_cast<void*>(&::_Unwind_RaiseException), &unwinder) != 0 &&
         where.dli_fbase == unwinder.dli_fbase;
#else
  return false;
#endif
}

void sample([[maybe_unused]] int signal_number, siginfo_t*, [[maybe_unused]] void* context) {
  void* frames[sampled_frames_max];
  if (!is_in_the_unwinder(context) &&
      ::backtrace(frames, sampled_frames_max) == sampled_frames_max) {
    ++endless_walks;
  }
  [[maybe_unused]] const bool go_on = samples.fetch_add(1) + 1 < samples_wanted;
#if defined(__x86_64__)
  if (signal_number != SIGTRAP) return;  // Otherwise the sender decides when.
  constexpr greg_t trap_flag = 0x100;
  greg_t& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
  flags = go_on ? flags | trap_flag : flags & ~trap_flag;
#endif
}

/// Installs `sample` as a signal handler during its lifetime.
class sampled_by {
 public:
  sampled_by(int signal_number, int flags, int wanted) : signal_number_(signal_number) {
    void* frame = nullptr;
    (void)::backtrace(&frame, 1);  // Loads the unwinder.
    samples = 0;
    endless_walks = 0;
    samples_wanted = wanted;
    struct sigaction action{};
    action.sa_sigaction = sample;
    action.sa_flags = SA_SIGINFO | SA_RESTART | flags;
    EXPECT_EQ(::sigaction(signal_number_, &action, &before_), 0);
  }
  ~sampled_by() {
    ::sigaction(signal_number_, &before_, nullptr);
    EXPECT_EQ(endless_walks.load(), 0) << "a walk that left its stack";
  }
  sampled_by(const sampled_by&) = delete;
  sampled_by& operator=(const sampled_by&) = delete;

 private:
  int signal_number_;
  struct sigaction before_{};
};

/// The reason why a program cannot be sampled here, or null.
const char* obstacle_to_sampling() {
  if (BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN) {
    return "the sanitizer's own code is interrupted, and cannot be walked";
  }
  if (test::under_valgrind) return "valgrind delivers signals by its own means";
  if (test::emulated) return "the emulator delivers signals between blocks of instructions";
  return nullptr;
}

#if defined(__x86_64__)

/// Repeats `body`, sampled at each instruction, until there are enough samples.
template <class Body>
void sample_while(int flags, Body body) {
  body();  // Lazy binding happens here.
  const sampled_by handler(SIGTRAP, flags, 20'000);
  ::raise(SIGTRAP);  // The first sample; it makes the next instruction the second.
  while (samples.load() < samples_wanted) body();
  EXPECT_EQ(samples.load(), samples_wanted);
}

class Profiled : public testing::TestWithParam<int> {
  void SetUp() override {
    if (obstacle_to_sampling() != nullptr) GTEST_SKIP() << obstacle_to_sampling();
  }
};
INSTANTIATE_TEST_SUITE_P(Stacks, Profiled, testing::Values(0, SA_ONSTACK),
                         [](const auto& with) { return with.param == 0 ? "same" : "alternate"; });

TEST_P(Profiled, D13_AThreadThatSwitches) {
  coro_pool pool = *coro_pool::create();
  auto adder = *pool.acquire<int, int>();
  int answer = 0;
  ASSERT_FALSE(adder
                   .start([](yielder<int, int>& out) {
                     for (int value = 0;;) value = out.yield(value) + 1;
                   })
                   .failed());
  sample_while(GetParam(), [&] {
    for (int i = 0; i <= 100; ++i) answer = adder.resume(i).value();
  });
  EXPECT_EQ(answer, 101);
}

TEST_P(Profiled, D13_AThreadThatStartsNestsAndUnwinds) {
  // A handler on the coroutine's own stack needs room: the open part does not grow for it.
  coro_pool pool = *coro_pool::create({.stack = {.limit = 512_KiB, .window = 256_KiB}});
  int unwound = 0;
  struct counts_up {
    int& count;
    ~counts_up() { ++count; }
  };
  sample_while(GetParam(), [&] {
    auto outer = *pool.acquire();
    (void)outer.start([&](yielder<>& out) {
      const counts_up mine{unwound};
      auto inner = *pool.acquire();
      (void)inner.start([&](yielder<>& within) {
        const counts_up also_mine{unwound};
        within.yield();
        within.yield();
      });
      (void)inner.resume();
      out.yield();
    });
  });
  EXPECT_EQ(unwound > 0, BAST_EXCEPTIONS != 0);
  pool.check_invariants();
}

#endif

[[gnu::noinline]] int recurse_by_16_kib(int depth) {
  volatile char frame[16 << 10];
  frame[0] = static_cast<char>(depth);
  const int below = depth > 0 ? recurse_by_16_kib(depth - 1) : 0;
  return below + (frame[0] == static_cast<char>(depth) ? 1 : 0);
}

TEST(ProfiledGrowth, D3_AThreadThatGrows) {
  if (obstacle_to_sampling() != nullptr) GTEST_SKIP() << obstacle_to_sampling();
  // On the alternate stack: some samples are in the fault handler and start below its frame.
  const sampled_by handler(SIGPROF, SA_ONSTACK, 300);
  coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
  const pthread_t target = ::pthread_self();
  std::thread profiler([target] {
    while (samples.load() < samples_wanted) ::pthread_kill(target, SIGPROF);
  });
  while (samples.load() < samples_wanted) {
    auto c = *pool.acquire<void, void, int>();
    ASSERT_FALSE(c.start("deep", [] { return recurse_by_16_kib(30); }).failed());
    EXPECT_EQ(*c.returned(), 31);
  }
  profiler.join();
}

}  // namespace
}  // namespace bast
