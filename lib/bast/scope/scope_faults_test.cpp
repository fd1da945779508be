// SPDX-License-Identifier: Apache-2.0
//
// every allocation and system call in the life of scopes fails, once and from then on. Each
// scope opens, or says why not; what it has taken in ends; nothing hangs or stays behind.
#include <atomic>
#include <string>

#include "bast/scope/scope_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/heap_growth.hpp"

namespace bast::test {
namespace {

bool is_clear(const error& e) {
  return (e == errc::no_memory || e == errc::limit || e == errc::invalid || e == errc::cancelled) &&
         e.operation() != nullptr && e.detail() != nullptr;
}

struct scope_counts {
  std::atomic<int> lives{0};
  std::atomic<int> unclear{0};
  std::atomic<int> defers{0};
  std::atomic<int> defers_ran{0};
};

template <class T>
bool works(scope_counts& all, const result<T>& got) {
  if (!got && !is_clear(got.error())) ++all.unclear;
  return got.has_value();
}

/// A tree of scopes with all that one can have.
void grow(scope_counts& all, int depth) {
  const auto ended = run_scope(
      [&all, depth](scope& s) -> result<void> {
        struct large {
          char more[100] = {};
        };
        for (int i = 0; i < 3; ++i) {
          if (works(all, s.defer([&all, held = counted(all.lives)]() -> result<void> {
                ++all.defers_ran;
                (void)run_scope([](scope& last) { (void)last.spawn([] { (void)yield_now(); }); });
                return perform(sleep_for(1us));
              }))) {
            ++all.defers;
          }
          (void)works(all, s.spawn([&all, depth, held = counted(all.lives)] {
            if (depth > 0) grow(all, depth - 1);
          }));
          (void)works(all, s.spawn([&all, more = large(), held = counted(all.lives)] {
            (void)more;
            (void)works(all, fail_after(1h, [] { return yield_now(); }));
            (void)works(all, move_on_after(1h, [] { return yield_now(); }));
          }));
          (void)works(
              all, s.spawn([held = counted(all.lives)] { return wait_long(); }, {.daemon = true}));
        }
        (void)works(all, spawn_batch(3, [&all](std::size_t) { (void)works(all, yield_now()); }));
        (void)works(all, s.set_deadline(std::chrono::steady_clock::now() + 1h));
        return {};
      },
      {.name = "grows", .deadline = std::chrono::steady_clock::now() + 1h});
  if (ended) return;
  const auto& why = ended.error().primary.why;
  if (!why || !is_clear(*why)) ++all.unclear;
}

std::string life_of_scopes(const run_options& options, injection& faults) {
  scope_counts all;
  scope_report report;
  const auto got = run(
      [&] {
        (void)run_scope([&](scope&) { grow(all, 1); }, {.report = &report});
        faults.end();
        const auto after = run_scope([](scope& s) { return s.spawn([] { return 5; })->join(); });
        return after && *after == 5;
      },
      options);
  faults.end();
  if (all.unclear != 0) return "an unclear error";
  if (all.lives != 0) return "a function was not destroyed";
  if (all.defers != all.defers_ran) return "a defer did not run";
  if (!got) {
    const auto& why = got.error().primary.why;
    return why ? "" : "run: " + got.error().message();
  }
  return *got ? "" : "after the faults a scope does not work";
}

TEST(ScopeFaults, X6_EachCallOfALifeFails) {
  const auto loop = for_each_failing_call(
      [](injection& faults) { return life_of_scopes({.workers = 1}, faults); });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

TEST(ScopeFaults, X6_EachAllocationOfALifeOfTwoWorkersFails) {
  const auto once = [](const os::fault_plan& plan) {
    injection faults(plan);
    const std::string wrong = life_of_scopes({.workers = 2}, faults);
    faults.end();
    EXPECT_EQ(wrong, "") << plan.nth << " " << plan.persistent;
    return faults.seen();
  };
  once({});
  once({});
  const leak_baseline before;
  const std::uint64_t calls = once({.kind = os::call::allocate});
  for (std::uint64_t nth = 1; nth <= calls; ++nth) {
    once({.kind = os::call::allocate, .nth = nth});
    once({.kind = os::call::allocate, .nth = nth, .persistent = true});
  }
  EXPECT_EQ(before.differences(), "");
}

TEST(ScopeFaults, X6_FreesWhatItAllocated) {
  constexpr std::uint64_t calls_max = 12;
  EXPECT_LT(heap_growth_of([] {
              EXPECT_TRUE(run(
                  [] {
                    for (std::uint64_t round = 0; round < calls_max; ++round) {
                      injection faults({.kind = os::call::allocate, .nth = 1 + round});
                      (void)run_scope([](scope& s) {
                        (void)s.spawn([] { (void)wait_for_cancel(); }, {.daemon = true});
                        (void)s.defer([] {});
                        (void)perform(scope_op([](scope&) { return always(1); }));
                        auto group = task_group<int>::create(s);
                        if (group) (void)group->spawn([] { return 1; });
                      });
                    }
                  },
                  {.workers = 1}));
            }),
            heap_caches);
}

}  // namespace
}  // namespace bast::test
