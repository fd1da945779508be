// SPDX-License-Identifier: Apache-2.0
//
// X-6, D12: every kernel call in a pool's life fails once, and from then on. Operations that must
// work without memory (release, unwinding, the pool's end) succeed. All others fail with a clear
// error. Nothing is lost, and afterwards the pool works fully.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast {
namespace {

using namespace bast::literals;

/// An error that a user can act on: it names the operation and the cause.
bool is_clear(const error& e) {
  const bool about_memory = e == errc::no_memory || e == errc::limit || e == errc::invalid;
  return about_memory && e.operation() != nullptr && e.detail() != nullptr;
}

/// Coroutines that run, suspend deep, and end in every way. Returns an error text or an empty one.
std::string use(coro_pool& pool, int count) {
  std::vector<coro<>> held;
  for (int i = 0; i < count; ++i) {
    auto c = pool.acquire();
    if (!c) return is_clear(c.error()) ? "" : "acquire: " + c.error().message();
    const auto step = c->start("user", [i](yielder<>& out) {
      // An explicit request: a page fault that the kernel refuses to resolve ends the process.
      if (i % 3 == 0 && !ensure_stack(100_KiB)) return;
      out.yield();
    });
    if (step.failed()) {
      if (!is_clear(step.error())) return "start: " + step.error().message();
      continue;
    }
    held.push_back(std::move(*c));
  }
  for (std::size_t i = 0; i < held.size(); i += 2) {
    if (held[i].state() != coro_state::suspended) continue;
    if (held[i].resume().failed()) return "resume must not fail";
  }
#if BAST_EXCEPTIONS
  for (auto& c : held) {
    if (!c.release()) return "release must not fail";
  }
#endif
  return "";
}

std::string life(const coro_pool_options& options, test::injection& faults) {
  auto pool = coro_pool::create(options);
  if (!pool) return is_clear(pool.error()) ? "" : "create: " + pool.error().message();
  if (std::string wrong = use(*pool, 20); !wrong.empty()) return wrong;
  pool->check_invariants();
  (void)pool->shrink();
  if (std::string wrong = use(*pool, 3); !wrong.empty()) return wrong;
  faults.end();
  // No call fails any more: the pool must work.
  auto c = pool->acquire();
  if (!c) return "after the faults, acquire: " + c.error().message();
  const auto step = c->start([] {});
  if (step.failed()) return "after the faults, start: " + step.error().message();
  pool->check_invariants();
  return "";
}

class FaultLoop : public test::each_tier {
 protected:
  void run(const coro_pool_options& options) {
    const auto loop =
        test::for_each_failing_call([&](test::injection& faults) { return life(options, faults); });
    EXPECT_EQ(loop.complaints, "");
    EXPECT_GT(loop.injected, 0U);
  }
};

INSTANTIATE_TEST_SUITE_P(Tiers, FaultLoop, testing::ValuesIn(test::all_tiers), test::tier_name);

TEST_P(FaultLoop, X6_APoolsLifeWithEachCallFailed) { run({.stack = {.tier = GetParam()}}); }

TEST_P(FaultLoop, X6_TheSameWithScrubbing) {
  run({.stack = {.tier = GetParam(), .scrub = stack_scrub::zero_used}});
}

TEST(FaultLoopThread, X6_PreparingAThreadWithEachCallFailed) {
  const auto loop = test::for_each_failing_call([](test::injection& faults) {
    std::string wrong;
    std::thread([&] {
      auto pool = coro_pool::create();
      if (!pool && !is_clear(pool.error())) wrong = "create: " + pool.error().message();
      if (pool) wrong = use(*pool, 2);
      faults.end();
      // Preparing the thread still works.
      pool = coro_pool::create();
      if (!pool) wrong = "after the faults, create: " + pool.error().message();
    }).join();
    return wrong;
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

}  // namespace
}  // namespace bast
