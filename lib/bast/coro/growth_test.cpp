// SPDX-License-Identifier: Apache-2.0
//
// Growth by the fault handler (D2, D3), with real frames, on both tiers: how deep, from where,
// under which conditions. The stack layer tests the arithmetic of slots and budgets.
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <numeric>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace bast::literals;

class Growth : public testing::TestWithParam<stack_tier> {
 protected:
  void SetUp() override {
    if (GetParam() == stack_tier::guard_markers && !*probe_guard_markers()) {
      GTEST_SKIP() << "this kernel has no guard markers (Linux 6.13 has)";
    }
  }
  coro_pool make_pool(bytes limit) {
    return *coro_pool::create({.stack = {.limit = limit, .tier = GetParam()}});
  }
  /// Runs `f` on its own stack and returns its site's record.
  template <class F>
  site_stats run(F f, bytes limit = 1_MiB) {
    coro_pool pool = make_pool(limit);
    {
      auto c = pool.acquire();
      const auto step = c->start("run", std::move(f));
      EXPECT_TRUE(step.finished());
    }
    site_stats found;
    pool.for_each_site([&](const site_stats& site) { found = site; });
    pool.check_invariants();
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(Tiers, Growth,
                         testing::Values(stack_tier::guard_markers, stack_tier::protection),
                         [](const auto& tier) {
                           return tier.param == stack_tier::guard_markers ? "markers"
                                                                          : "protection";
                         });

/// Recurses until `deep` bytes of stack are used, touches all of them, and checks them on return:
/// growth must not disturb them. Not instrumented by the address sanitizer, which would place the
/// frames on its own fake stack.
[[gnu::noinline, gnu::no_sanitize_address]] int recurse(const std::byte* top, std::size_t deep) {
  std::array<unsigned char, 700> frame;
  const auto* const here = reinterpret_cast<const std::byte*>(frame.data());
  const auto used = static_cast<std::size_t>(top - here);
  std::memset(frame.data(), static_cast<int>(used % 251), frame.size());
  asm volatile("" : : "r"(frame.data()) : "memory");
  const int below = used < deep ? recurse(top, deep) : 0;
  for (const unsigned char byte : frame) {
    if (byte != used % 251) return -1'000'000;
  }
  return below + 1;
}

int recurse_to(std::size_t deep) {
  return recurse(static_cast<const std::byte*>(__builtin_frame_address(0)), deep);
}

/// Uses `deep` bytes of stack and requests more from there. The request itself needs stack: if too
/// little is open, it faults during growth.
[[gnu::noinline, gnu::no_sanitize_address]] bool ask_from(std::size_t deep, bytes more) {
  auto* const used = static_cast<volatile char*>(__builtin_alloca(deep));
  used[0] = 1;
  return ensure_stack(more).has_value();
}

TEST_P(Growth, GrowingWhileGrowingIsChargedOnce) {
  coro_pool pool = *coro_pool::create(
      {.stack = {.limit = 256_KiB, .window = 32_KiB, .retain = 32_KiB, .tier = GetParam()},
       .max_coros = 1});
  const std::size_t page = os::page_bytes();
  // From two pages above the end of the window to its end, in the smallest possible steps.
  for (std::size_t deep = (32 << 10) - 2 * page; deep < (32 << 10); deep += 16) {
    auto c = pool.acquire();
    bool fine = false;
    const auto step = c->start([&] {
      slot& own = *find_stack(__builtin_frame_address(0)).record;
      const std::size_t room = this_coro::stack_used().count;
      fine = room >= deep || ask_from(deep - room, 48_KiB);
      EXPECT_EQ(pool.budget().open().count, slab::of(own).open_bytes(own)) << deep;
    });
    ASSERT_TRUE(!step.failed() && fine) << deep;
  }
  EXPECT_TRUE(pool.shrink().count != 0);
  EXPECT_EQ(pool.budget().open().count, 0U);
  EXPECT_EQ(process_stack_budget().open().count, 0U);
}

/// Uses `deep` bytes of stack and runs another coroutine from there.
[[gnu::noinline, gnu::no_sanitize_address]] bool run_from(std::size_t deep, coro_ref<> other) {
  auto* const used = static_cast<volatile char*>(__builtin_alloca(deep));
  used[0] = 1;
  const bool ran = !other.resume().failed();
  used[0] = 2;
  return ran;
}

// The last pushes before a switch are on the leaving coroutine's stack, though the other one is
// already recorded as running.
TEST_P(Growth, AStackGrowsWhileItsCoroutineHandsOver) {
  coro_pool pool = *coro_pool::create(
      {.stack = {.limit = 256_KiB, .window = 32_KiB, .retain = 32_KiB, .tier = GetParam()},
       .max_coros = 2});
  auto inner = pool.acquire();
  int runs = 0;
  ASSERT_FALSE(inner
                   ->start([&] {
                     for (;; ++runs) ASSERT_TRUE(this_coro::yield());
                   })
                   .failed());
  constexpr std::size_t most = 32 << 10;
  int wanted = 0;
  for (std::size_t deep = most - 1024; deep < most; deep += 16) {
    auto outer = pool.acquire();
    bool fine = false;
    const auto step = outer->start([&] {
      const std::size_t room = this_coro::stack_used().count;
      fine = run_from(deep - room, *inner);
    });
    ASSERT_TRUE(!step.failed() && fine) << deep;
    ASSERT_EQ(runs, ++wanted);
  }
  ASSERT_TRUE(inner->release(abandon));
}

TEST_P(Growth, AShallowCoroutineNeverFaults) {
  const site_stats site = run([] { EXPECT_GT(recurse_to(10'000), 0); });
  EXPECT_EQ(site.grows, 0U);
}

TEST_P(Growth, ADeepOneGrowsGeometricallyAndIsMeasured) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  const site_stats site = run([] { EXPECT_GT(recurse_to(800'000), 0); });
  EXPECT_GE(site.grows, 1U);
  EXPECT_LE(site.grows, 5U);  // 32 KiB, 64, 128, 256, 512, 1024.
  EXPECT_GE(site.max, 800'000_B);
  EXPECT_LE(site.max, 1_MiB);
}

TEST_P(Growth, EveryDepthUpToTheLimitWorks) {
  coro_pool pool = make_pool(256_KiB);
  for (std::size_t deep = 1000; deep < 250'000; deep += 7777) {
    auto c = pool.acquire<void, void, int>();
    ASSERT_FALSE(c->start([deep] { return recurse_to(deep); }).failed());
    EXPECT_GT(*c->returned(), 0);
  }
  pool.check_invariants();
}

TEST_P(Growth, OneHugeFrameOpensEverythingAboveIt) {
  run([] {
    // One frame of 400 KiB, first touched at its low end: no hole may remain above.
    volatile char frame[400 << 10];
    frame[0] = 1;
    std::size_t sum = 0;
    for (std::size_t i = 0; i < sizeof frame; i += 1024) {
      frame[i] = 2;
      sum += static_cast<std::size_t>(frame[i]);
    }
    EXPECT_EQ(sum, sizeof frame / 1024 * 2);
  });
}

TEST_P(Growth, ASuspendedCoroutineKeepsWhatItGrew) {
  coro_pool pool = make_pool(1_MiB);
  struct deep {
    [[gnu::noinline]] static void yield_at(yielder<>& out, int levels) {
      volatile char frame[1000];
      frame[0] = static_cast<char>(levels);
      frame[999] = static_cast<char>(levels);
      if (levels == 0) {
        out.yield();
      } else {
        yield_at(out, levels - 1);
      }
      EXPECT_EQ(frame[0], static_cast<char>(levels));
      EXPECT_EQ(frame[999], static_cast<char>(levels));
    }
  };
  std::vector<coro<>> many;
  for (int i = 0; i < 20; ++i) {
    many.push_back(*pool.acquire());
    ASSERT_FALSE(many.back().start([i](yielder<>& out) { deep::yield_at(out, 20 * i); }).failed());
  }
  for (auto& c : many) ASSERT_TRUE(c.resume().finished());
  pool.check_invariants();
}

TEST_P(Growth, ANestedCoroutineAndItsResumerBothGrow) {
  coro_pool pool = make_pool(1_MiB);
  auto outer = pool.acquire();
  ASSERT_FALSE(outer
                   ->start([&] {
                     EXPECT_GT(recurse_to(100'000), 0);
                     auto inner = pool.acquire();
                     ASSERT_FALSE(inner
                                      ->start([](yielder<>& out) {
                                        EXPECT_GT(recurse_to(300'000), 0);
                                        out.yield();
                                        EXPECT_GT(recurse_to(600'000), 0);
                                      })
                                      .failed());
                     EXPECT_GT(recurse_to(500'000), 0);
                     ASSERT_FALSE(inner->resume().failed());
                     EXPECT_GT(recurse_to(900'000), 0);
                   })
                   .failed());
}

TEST_P(Growth, TheKernelIsHandedOnlyOpenMemory) {
  // A call pushes its return address below every live buffer, so the caller faults before the
  // kernel accesses the buffer: read(2) into an untouched large buffer works.
  run([] {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    std::array<char, 200'000> buffer;
    const std::string message(60'000, 'x');
    std::size_t written = 0;
    while (written < message.size()) {
      const ssize_t n = ::write(pipe_ends[1], message.data(), message.size() - written);
      ASSERT_GT(n, 0);
      const ssize_t got = ::read(pipe_ends[0], buffer.data(), buffer.size());
      ASSERT_EQ(got, n) << std::strerror(errno);
      written += static_cast<std::size_t>(n);
    }
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
  });
}

TEST_P(Growth, EnsureStackOpensAheadOfUse) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  const site_stats site = run([] {
    ASSERT_TRUE(ensure_stack(300_KiB));
    const std::byte* const here = static_cast<const std::byte*>(__builtin_frame_address(0));
    const stack_view view = find_stack(here);
    EXPECT_LE(view.open_low, here - (300 << 10));
    EXPECT_EQ(test::kind_of(ensure_stack(2_MiB)), errc::limit);
    EXPECT_GT(this_coro::stack_left(), 500_KiB);
    EXPECT_GT(this_coro::stack_used(), 0_B);
  });
  EXPECT_EQ(site.grows, 1U);
  EXPECT_TRUE(ensure_stack(1_GiB));  // On a thread's own stack there is nothing to do.
  EXPECT_EQ(this_coro::stack_left(), 0_B);
}

TEST_P(Growth, ErrnoSurvivesAFault) {
  run([] {
    errno = 4711;
    EXPECT_GT(recurse_to(200'000), 0);
    EXPECT_EQ(errno, 4711);
  });
}

TEST_P(Growth, WhileASignalHandlerRunsOnTheAlternateStack) {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_ONSTACK;
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  run([] {
    for (std::size_t deep = 20'000; deep < 400'000; deep += 20'000) {
      ASSERT_EQ(::raise(SIGUSR1), 0);
      EXPECT_GT(recurse_to(deep), 0);
    }
  });
  ::sigaction(SIGUSR1, &before, nullptr);
}

// Every library parses nested groups by recursion; only some also match the text by recursion.
TEST_P(Growth, RegexGoesDeep) {
  const site_stats site = run(
      [] {
        const std::string comment = R"(/\*([^*]|\*[^/])*\*/)";
        const std::regex nested(std::string(2000, '(') + comment + std::string(2000, ')'));
        const std::string text = "/*" + std::string(2000, 'a') + "*/";
        EXPECT_TRUE(std::regex_match(text, nested));
      },
      16_MiB);
  EXPECT_GT(site.max, 100_KiB);
}

TEST_P(Growth, FourThreadsGrowAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      coro_pool pool = make_pool(512_KiB);
      for (int i = 0; i < 50; ++i) {
        auto c = pool.acquire<void, void, int>();
        ASSERT_FALSE(c->start([i] {
                        return recurse_to(static_cast<std::size_t>(8000 * (i + 1)));
                      }).failed());
        EXPECT_GT(*c->returned(), 0);
      }
      pool.check_invariants();
    });
  }
  for (std::thread& t : threads) t.join();
}

TEST_P(Growth, DemandPagingNeedsNoFaultHandler) {
  coro_pool pool = *coro_pool::create(
      {.stack = {.limit = 1_MiB, .tier = GetParam(), .growth = stack_growth::demand}});
  auto c = pool.acquire<void, void, int>();
  ASSERT_FALSE(c->start("demand", [] { return recurse_to(900'000); }).failed());
  EXPECT_GT(*c->returned(), 0);
  ASSERT_TRUE(c->release());
  pool.for_each_site([](const site_stats& site) {
    EXPECT_EQ(site.grows, 0U);
    EXPECT_GE(site.max, 900'000_B);
  });
}

template <std::size_t Bytes>
[[gnu::noinline]] int resume_from_a_frame(coro_ref<>& inner) {
  volatile char frame[Bytes];
  const auto came = inner.resume();
  frame[0] = 1;
  return !came.failed() ? frame[0] : 0;
}

/// Resuming may be the first to write to a page of the resumer's own stack.
template <std::size_t... Bytes>
void expect_resumes_from_frames_of(std::index_sequence<Bytes...>) {
  const auto resume_from = [](int (*frame)(coro_ref<>&)) {
    coro_pool pool = *coro_pool::create({.stack = {.window = bytes{16 << 10}}});
    auto inner = pool.acquire();
    auto outer = pool.acquire();
    ASSERT_TRUE(inner
                    ->start([](yielder<>& out) {
                      for (;;) out.yield();
                    })
                    .yielded());
    ASSERT_TRUE(outer->start([&] { EXPECT_EQ(frame(*inner), 1); }).finished());
  };
  (resume_from(resume_from_a_frame<12'000 + 500 * Bytes>), ...);
  (resume_from(resume_from_a_frame<16'000 * (Bytes + 1)>), ...);
}
TEST(GrowthOfAResumer, D3_ANestedResumeMayTouchAPageFirst) {
  expect_resumes_from_frames_of(std::make_index_sequence<10>());
}

}  // namespace
}  // namespace bast
