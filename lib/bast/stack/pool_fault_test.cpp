// SPDX-License-Identifier: Apache-2.0
//
// Law X-6 for the whole layer: every system call of a pool's life fails once, and from then on. The
// pool succeeds or fails with a clear error, keeps its invariants, releases everything, and works
// normally once the kernel has memory again.
#include <gtest/gtest.h>

#include <iterator>
#include <span>
#include <string>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::injection;

constexpr std::size_t stacks_of_a_life = 24;
constexpr site_key fault_sites[] = {site_key::labelled("one"), site_key::labelled("two"),
                                    site_key::labelled("three")};

/// A sentence if a user could not act on `e`.
std::string unclear(const error& e, const injection& faults) {
  const bool kernel = e.kind() == errc::no_memory || e.kind() == errc::invalid;
  if (!kernel) return "an error of the wrong kind: " + e.message() + "\n";
  if (faults.injected() == 0) return "an error without a fault: " + e.message() + "\n";
  if (e.operation() == nullptr || e.detail() == nullptr) return "an error without words\n";
  return {};
}

/// One pool's life. `complaints` collects errors.
class life {
 public:
  life(injection& faults, stack_options options) : faults_(faults), options_(options) {}

  std::string run() {
    const auto ready = pool_.init(options_, stacks_of_a_life);
    if (ready) {
      under_faults();
    } else {
      complaints_ += unclear(ready.error(), faults_);
    }
    faults_.end();
    if (!ready && !pool_.init(options_, stacks_of_a_life)) complaints_ += "a second init fails\n";
    afterwards();
    return complaints_;
  }

 private:
  void under_faults() {
    slot* live[6] = {};
    for (std::size_t i = 0; i < std::size(live); ++i) {
      const auto got = pool_.acquire(fault_sites[i % 3]);
      if (got) live[i] = *got;
      if (!got) complaints_ += unclear(got.error(), faults_);
      pool_.check_invariants();
    }
    for (slot* const s : live) {
      if (s != nullptr) write_deep(*s);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      if (live[i] != nullptr) pool_.release(*live[i]);
      pool_.check_invariants();
    }
    const auto reserved = pool_.reserve(stacks_of_a_life / 2);
    if (!reserved) complaints_ += unclear(reserved.error(), faults_);
    pool_.read_pending_marks();
    pool_.shrink();
    pool_.check_invariants();
    for (slot* const s : {live[4], live[5]}) {
      if (s != nullptr) pool_.release(*s);
    }
    pool_.shrink();
    pool_.check_invariants();
  }

  void write_deep(slot& s) {
    const std::size_t window = pool_.geometry().window;
    std::fill(s.top - window / 2, s.top, std::byte{0x5a});
    const auto grown = ensure_open(s, s.top - 3 * window);
    if (grown) {
      std::fill(s.top - 3 * window, s.top, std::byte{0x5a});
    } else {
      complaints_ += unclear(grown.error(), faults_);
    }
    check_guarded(s);
  }

  void afterwards() {
    std::vector<slot*> all;
    for (std::size_t i = 0; i < stacks_of_a_life; ++i) {
      const auto got = pool_.acquire(fault_sites[i % 3]);
      if (!got) complaints_ += "afterwards: " + got.error().message() + "\n";
      if (!got) break;
      all.push_back(*got);
      check_guarded(**got);
      if (!ensure_open(**got, (*got)->top - 4 * pool_.geometry().window)) {
        complaints_ += "afterwards: a stack does not grow\n";
      }
      if (!test::open_part_is(**got, std::byte{0})) complaints_ += "F-14: a former user's byte\n";
    }
    for (slot* const s : all) pool_.release(*s);
    pool_.check_invariants();
  }

  void check_guarded(slot& s) {
    const slab& home = slab::of(s);
    if (test::accessible(home.low(s))) complaints_ += "the guard is open at its low end\n";
    if (test::accessible(home.open_low(s) - 16)) complaints_ += "the guard is open\n";
    if (test::pages_other_than(true, home.open_low(s), home.high(s)) != 0) {
      complaints_ += "the open part has a hole\n";
    }
  }

  injection& faults_;
  stack_options options_;
  stack_pool pool_;
  std::string complaints_;
};

// TSan is slow and checks for races only: one errno suffices.
constexpr std::size_t errnos_wanted = BAST_WITH_TSAN != 0 ? 1 : std::size(test::usual_errnos);

void fail_every_call(stack_tier tier) {
  const bytes open_before = process_stack_budget().open();
  const stack_options options{.limit = 128_KiB,
                              .window = 16_KiB,
                              .retain = 32_KiB,
                              .tier = tier,
                              .scrub = stack_scrub::zero_used};
  const auto loop = test::for_each_failing_call(
      [&](injection& faults) {
        std::string complaints = life(faults, options).run();
        if (process_stack_budget().open() != open_before)
          complaints += "the process budget leaks\n";
        return complaints;
      },
      std::span(test::usual_errnos).first(errnos_wanted));
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GE(loop.calls, 20U);
  EXPECT_EQ(loop.runs, 2 * errnos_wanted * loop.calls);
  EXPECT_GE(loop.injected, loop.runs) << "every plan took effect";
}

struct StackPoolFaults : test::each_tier {};
INSTANTIATE_TEST_SUITE_P(Tiers, StackPoolFaults, ::testing::ValuesIn(test::all_tiers),
                         test::tier_name);

TEST_P(StackPoolFaults, X6_EveryFailingCallIsAClearErrorOrSuccess) { fail_every_call(GetParam()); }

TEST(StackPoolFaultsAutomatic, X6_EveryFailingCallIsAClearErrorOrSuccess) {
  fail_every_call(stack_tier::automatic);
}

TEST(StackPoolFaultsAutomatic, MarkersThatStopWorkingMeanProtectionFromThenOn) {
  if (!test::tier_works(stack_tier::guard_markers)) GTEST_SKIP() << "no guard markers here";
  if (resolve_tier(stack_tier::automatic) == stack_tier::protection) {
    GTEST_SKIP() << "automatic is protection in this build";
  }
  stack_pool pool;
  ASSERT_TRUE(pool.init({}, 64).has_value());
  slot& first = **pool.acquire(fault_sites[0]);
  ASSERT_EQ(slab::of(first).tier, stack_tier::guard_markers);
  std::vector<slot*> all{&first};
  {
    const os::fault_scope fault(
        {.kind = os::call::guard_install, .nth = 1, .persistent = true, .error_number = EINVAL});
    while (all.size() < 64) {
      const auto got = pool.acquire(fault_sites[0]);
      ASSERT_TRUE(got.has_value()) << got.error().message();
      all.push_back(*got);
    }
    EXPECT_GE(fault.injected(), 2U);
  }
  EXPECT_GT(pool.stats().stacks_protection, 0U);
  EXPECT_EQ(pool.stats().stacks_guard_markers + pool.stats().stacks_protection, 64U);
  for (slot* const s : all) {
    const slab& home = slab::of(*s);
    EXPECT_FALSE(test::accessible(home.open_low(*s) - 16));
    EXPECT_TRUE(test::accessible(home.open_low(*s)));
    pool.release(*s);
  }
  pool.check_invariants();
}

}  // namespace
}  // namespace bast
