// SPDX-License-Identifier: Apache-2.0
//
// every allocation and system call of a runtime's life fails, once and from then on. Each
// fiber runs, or fails with a clear error; nothing hangs, is lost or stays behind.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/baseline.hpp"

namespace bast {
namespace {

bool is_clear_error(const error& e) {
  return (e == errc::no_memory || e == errc::limit || e == errc::invalid) &&
         e.operation() != nullptr && e.detail() != nullptr;
}

struct counts {
  std::atomic<int> lives{0};
  std::atomic<int> spawned{0};
  std::atomic<int> ran{0};
  std::atomic<int> not_started{0};
  std::atomic<int> wrong{0};
};

/// Joins, and counts how it ended.
void take(counts& all, fiber<int>& one) {
  const auto got = one.join();
  if (got) return;
  if (is_clear_error(got.error())) {
    ++all.not_started;
  } else {
    ++all.wrong;
  }
}

int work(counts& all, int depth) {
  ++all.ran;
  std::vector<fiber<int>> children;
  for (int i = 0; depth > 0 && i < 4; ++i) {
    struct large {
      char more[100] = {};
    };
    auto made =
        i % 2 == 0
            ? spawn([&all, depth, held = test::counted(all.lives)] { return work(all, depth - 1); })
            : spawn([&all, depth, more = large(), held = test::counted(all.lives)] {
                (void)more;
                return work(all, depth - 1);
              });
    if (made) {
      ++all.spawned;
      children.push_back(std::move(*made));
    } else if (!is_clear_error(made.error())) {
      ++all.wrong;
    }
  }
  (void)yield_now();
  for (auto& each : children) take(all, each);
  return 1;
}

std::string one_life(const run_options& options, test::injection& faults) {
  counts all;
  const auto got = run(
      [&] {
        (void)work(all, 2);
        faults.end();
        // Nothing fails any more: all works.
        const auto after = spawn([] { return 5; })->join();
        return after && *after == 5;
      },
      options);
  faults.end();
  if (all.wrong != 0) return "an unclear error";
  if (all.lives != 0) return "a callable was not destroyed";
  if (!got) {
    const auto& why = got.error().primary.why;
    return why && is_clear_error(*why) ? "" : "run: " + got.error().message();
  }
  if (!*got) return "after the faults a fiber does not run";
  if (all.ran + all.not_started != all.spawned + 1) return "a fiber was lost";
  return "";
}

TEST(SchedFaults, X6_EachCallOfALifeFails) {
  const auto loop = test::for_each_failing_call(
      [](test::injection& faults) { return one_life({.workers = 1}, faults); });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

/// Several workers wake each other, which a closed eventfd alone can make fail: `write` is left
/// out, and of `epoll` the calls that fail for good, which end the process with a diagnostic (io).
template <class Life>
void each_kind_fails(Life life) {
  using os::call;
  constexpr call kinds[] = {
      call::map,          call::unmap,     call::protect,   call::advise,      call::guard_install,
      call::guard_remove, call::residency, call::sigaction, call::sigaltstack, call::allocate,
      call::event,        call::epoll,     call::thread};
  std::uint64_t injected = 0;
  const auto once = [&](const os::fault_plan& plan) {
    test::injection faults(plan);
    const std::string wrong = life(faults);
    faults.end();
    injected += faults.injected();
    EXPECT_EQ(wrong, "") << os::name_of(plan.kind) << " " << plan.nth << " " << plan.persistent;
    return faults.seen();
  };
  once({});
  once({});
  const test::leak_baseline before;
  for (const call kind : kinds) {
    const std::uint64_t calls = once({.kind = kind});
    for (std::uint64_t nth = 1; nth <= calls; ++nth) {
      once({.kind = kind, .nth = nth});
      if (kind != call::epoll) once({.kind = kind, .nth = nth, .persistent = true});
      ASSERT_EQ(before.differences(), "") << os::name_of(kind) << " " << nth;
    }
  }
  EXPECT_GT(injected, 0U);
}

TEST(SchedFaults, X6_EachCallOfALifeOfTwoWorkersFails) {
  each_kind_fails([](test::injection& faults) { return one_life({.workers = 2}, faults); });
}

/// A pool of its own, a guest's fiber, and what is passed between.
std::string pools_life(test::injection& faults) {
  const pool_options pools[] = {{.name = "disk", .workers = 1}};
  std::string wrong;
  const auto got = run(
      [&] {
        auto made = spawn([] { return 1; }, {.pool = "disk"});
        if (!made) {
          if (!is_clear_error(made.error())) wrong = "spawn: " + made.error().message();
        } else if (const auto end = made->join(); !end && !is_clear_error(end.error())) {
          wrong = "join: " + end.error().message();
        }
        auto runtime = runtime_handle::current().value();
        if (auto posted = runtime.post([] {}); !posted && !is_clear_error(posted.error())) {
          wrong = "post: " + posted.error().message();
        }
      },
      {.workers = 1,
       .pools = pools,
       .unhandled = {.take = [](void*, failure&&) noexcept {}, .context = nullptr}});
  faults.end();
  if (!got) {
    const auto& why = got.error().primary.why;
    if (!why || !is_clear_error(*why)) wrong = "run: " + got.error().message();
  }
  return wrong;
}

TEST(SchedFaults, X6_EachCallOfAPoolsLifeFails) { each_kind_fails(pools_life); }

}  // namespace
}  // namespace bast
