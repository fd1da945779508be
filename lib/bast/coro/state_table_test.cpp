// SPDX-License-Identifier: Apache-2.0
//
// F-1: every cell of the state table. An operation that is not legal fails with its error and
// changes nothing: state, counters, coroutine.
#include <gtest/gtest.h>

#include <optional>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

/// A pool with one coroutine in a chosen state. A `running` one calls `probe` from inside itself.
class specimen {
 public:
  explicit specimen(coro_state state) : state_(state) {
    handle_ = pool_.acquire()->detach();
    if (state == coro_state::free) {
      EXPECT_TRUE(coro_ref<>(handle_).release());
    }
    if (state == coro_state::suspended) {
      EXPECT_TRUE(handle_
                      .start([](yielder<>& out) {
                        out.yield();
                        out.yield();
                      })
                      .yielded());
    }
    if (state == coro_state::finished) {
      EXPECT_TRUE(handle_.start([] {}).finished());
    }
  }

  /// Runs `operation(handle)` while the coroutine is in the chosen state; returns its error, or
  /// nothing if it succeeded. Checks that a failure changed nothing.
  template <class F>
  std::optional<errc> attempt(F operation) {
    std::optional<errc> refusal;
    const auto probe = [&] {
      const coro_pool_stats before = pool_.stats();
      const coro_state state_before = handle_.state();
      EXPECT_EQ(state_before, state_);
      refusal = operation(handle_);
      if (!refusal) return;
      const coro_pool_stats after = pool_.stats();
      EXPECT_EQ(handle_.state(), state_before);
      EXPECT_EQ(before.free, after.free);
      EXPECT_EQ(before.ready, after.ready);
      EXPECT_EQ(before.running, after.running);
      EXPECT_EQ(before.suspended, after.suspended);
      EXPECT_EQ(before.finished, after.finished);
      EXPECT_EQ(before.stacks.live, after.stacks.live);
      EXPECT_EQ(before.stacks.open, after.stacks.open);
    };
    if (state_ == coro_state::running) {
      EXPECT_TRUE(handle_.start(probe).finished());
    } else {
      probe();
    }
    pool_.check_invariants();
    return refusal;
  }

 private:
  coro_state state_;
  coro_pool pool_ = *coro_pool::create();
  coro_ref<> handle_;
};

using test::kind_of;

std::optional<errc> start(coro_ref<> c) {
  return kind_of(c.start([] {}));
}
std::optional<errc> resume(coro_ref<> c) { return kind_of(c.resume()); }
std::optional<errc> release(coro_ref<> c) { return kind_of(c.release()); }
std::optional<errc> abandon_it(coro_ref<> c) { return kind_of(c.release(abandon)); }
std::optional<errc> returned(coro_ref<> c) { return kind_of(c.returned()); }
std::optional<errc> peek(coro_ref<> c) { return kind_of(c.peek()); }

using cell = std::optional<errc>;
constexpr cell works = std::nullopt;

struct row {
  const char* name;
  std::optional<errc> (*operation)(coro_ref<>);
  cell ready, running, suspended, finished, stale;
};

// The columns of table F-1.
constexpr row table[] = {
    {"start", start, works, errc::bad_state, errc::bad_state, errc::bad_state, errc::stale_handle},
    {"resume", resume, errc::bad_state, errc::busy, works, errc::finished, errc::stale_handle},
#if BAST_EXCEPTIONS
    {"release", release, works, errc::busy, works, works, errc::stale_handle},
#else
    {"release", release, works, errc::busy, errc::busy, works, errc::stale_handle},
#endif
    {"abandon", abandon_it, works, errc::busy, works, works, errc::stale_handle},
    {"returned", returned, errc::bad_state, errc::bad_state, errc::bad_state, works,
     errc::stale_handle},
    {"peek", peek, errc::bad_state, errc::busy, works, works, errc::stale_handle},
};

TEST(StateTable, F1_EveryCell) {
  for (const row& r : table) {
    SCOPED_TRACE(r.name);
    EXPECT_EQ(specimen(coro_state::ready).attempt(r.operation), r.ready);
    EXPECT_EQ(specimen(coro_state::running).attempt(r.operation), r.running);
    EXPECT_EQ(specimen(coro_state::suspended).attempt(r.operation), r.suspended);
    EXPECT_EQ(specimen(coro_state::finished).attempt(r.operation), r.finished);
    EXPECT_EQ(specimen(coro_state::free).attempt(r.operation), r.stale);
  }
}

TEST(StateTable, F1_OneFromMakeIsSuspendedAndOnlyPeekDiffers) {
  for (const row& r : table) {
    SCOPED_TRACE(r.name);
    coro_pool pool = *coro_pool::create();
    coro<> made = *pool.make([] {});
    // Also without exceptions: there is nothing to unwind.
    const bool is_release = r.operation == release;
    const cell expected = r.operation == peek ? errc::bad_state : is_release ? works : r.suspended;
    EXPECT_EQ(r.operation(made), expected);
    pool.check_invariants();
  }
}

TEST(StateTable, F1_ANestedCoroutineIsRunningToo) {
  coro_pool pool = *coro_pool::create();
  auto outer = pool.acquire();
  auto inner = pool.acquire();
  int looked = 0;
  ASSERT_FALSE(outer
                   ->start([&] {
                     ASSERT_FALSE(inner
                                      ->start([&] {
                                        // Both are running.
                                        EXPECT_EQ(outer->state(), coro_state::running);
                                        EXPECT_EQ(kind_of(outer->resume()), errc::busy);
                                        EXPECT_EQ(kind_of(outer->ref::release()), errc::busy);
                                        EXPECT_EQ(kind_of(outer->start([] {})), errc::bad_state);
                                        ++looked;
                                      })
                                      .failed());
                   })
                   .failed());
  EXPECT_EQ(looked, 1);
}

TEST(StateTable, F1_YieldOutsideACoroutineIsRefused) {
  EXPECT_EQ(kind_of(this_coro::yield()), errc::not_in_fiber);
}

TEST(StateTable, F1_YieldWithoutTheYielderNeedsACoroutineWithoutValues) {
  coro_pool pool = *coro_pool::create();
  auto typed = pool.acquire<int>();
  ASSERT_FALSE(
      typed->start([](yielder<int>&) { EXPECT_EQ(kind_of(this_coro::yield()), errc::bad_state); })
          .failed());
  auto untyped = pool.acquire();
  ASSERT_TRUE(untyped->start([] { EXPECT_TRUE(this_coro::yield()); }).yielded());
  EXPECT_TRUE(untyped->resume().finished());
}

TEST(StateTable, EveryStateHasAName) {
  EXPECT_STREQ(name_of(coro_state::free), "free");
  EXPECT_STREQ(name_of(coro_state::retired), "retired");
}

TEST(StateTable, ErrorsNameTheOperationAndTheReason) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  EXPECT_EQ(test::words_of(c->resume()),
            "resume: not legal in this state: the coroutine has not been started");
}

}  // namespace
}  // namespace bast
