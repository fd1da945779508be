// SPDX-License-Identifier: Apache-2.0
//
// Memory is freed: the heap after many lives is as after some.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"
#include "bast/coro.hpp"
#include "bast/testing/heap_growth.hpp"

namespace bast {
namespace {

using test::heap_caches;
using test::heap_growth_of;

TEST(CancelMemory, ASourceAndItsChildrenGoWithTheLastWhoHoldsThem) {
  EXPECT_LT(heap_growth_of([] { (void)test::root_source(); }), heap_caches);
  EXPECT_LT(heap_growth_of([] {
              cancel_source at = test::root_source();
              for (int depth = 0; depth < 4; ++depth) at = at.child().value();
            }),
            heap_caches)
      << "a chain in which only children hold parents";
  EXPECT_LT(heap_growth_of([] {
              const cancel_source above = test::root_source();
              const cancel_source first = above.child().value();
              std::optional<cancel_source> second = above.child().value();
              const cancel_source third = above.child().value();
              const cancel_token kept = second->token();
              second.reset();
              above.cancel();
              EXPECT_TRUE(kept.is_cancelled());
            }),
            heap_caches)
      << "a token keeps the state of its source alive";
}

TEST(CancelMemory, CallbacksHoldTheirNodeAndNoLonger) {
  EXPECT_LT(heap_growth_of([] {
              std::optional<cancel_source> source = test::root_source();
              const cancel_callback holds(source->token(), []() noexcept {});
              source.reset();
            }),
            heap_caches);
  EXPECT_LT(heap_growth_of([] {
              std::optional<cancel_source> source = test::root_source();
              const cancel_callback ends(source->token(), [&]() noexcept { source.reset(); });
              source->cancel();
              EXPECT_FALSE(source);
            }),
            heap_caches)
      << "one that ends its source while it runs";
  EXPECT_LT(heap_growth_of([] {
              std::optional<cancel_source> source = test::root_source();
              source->cancel();
              const cancel_callback late(source->token(), [&]() noexcept { source.reset(); });
            }),
            heap_caches);
}

TEST(CancelMemory, JoinedTokensGoWithTheirInputs) {
  for (const bool cancelled : {false, true}) {
    EXPECT_LT(heap_growth_of([=] {
                const cancel_source a = test::root_source();
                const cancel_source b = test::root_source();
                const cancel_source c = test::root_source();
                const cancel_token both[] = {a.token(), b.token()};
                const cancel_token joined = cancel_token::any_of(both).value();
                const cancel_token more[] = {joined, c.token(), a.token()};
                const cancel_token all = cancel_token::any_of(more).value();
                if (cancelled) b.cancel();
                EXPECT_EQ(all.is_cancelled(), cancelled);
              }),
              heap_caches)
        << cancelled;
  }
}

TEST(CancelMemory, GroupsGoWithTheirSource) {
  EXPECT_LT(heap_growth_of([] {
              const cancel_source above = test::root_source();
              const wait_group members = wait_group::create(above).value();
              ticket member = members.begin();
              member.done();
              wait_group moved = wait_group::create().value();
              moved = wait_group::create(above).value();
            }),
            heap_caches);
}

TEST(CancelMemory, F12_WhatIsAbandonedGivesItBackToo) {
  coro_pool pool = *coro_pool::create();
  EXPECT_LT(heap_growth_of([&] {
              std::optional<cancel_source> source = test::root_source();
              auto c = pool.acquire();
              EXPECT_FALSE(c->start([&] {
                              const cancel_callback holds(source->token(), []() noexcept {});
                              (void)this_coro::yield();
                            }).failed());
              source.reset();
              EXPECT_TRUE(c->release(abandon));
            }),
            heap_caches);
}

// --- records by themselves -----------------------------------------------------------------------

using plain_record = internal::real_record;

struct counting_record : plain_record {
  counting_record() : plain_record(count) {}
  static void count(plain_record& self, const cancel_reason&) noexcept {
    ++static_cast<counting_record&>(self).runs;
  }
  int runs = 0;
};

TEST(CancelRecord, C8_ASilencedOneDoesNotRunAndIsDelistedAllTheSame) {
  using operations = internal::cancel_tree_operations;
  internal::cancel_tree<os::real_atomics> tree;
  operations::plant(tree, 1);
  counting_record records[4];
  for (auto& record : records) operations::enlist(record, tree.root);
  operations::silence(records[3], tree.root);
  operations::silence(records[1], tree.root);
  operations::silence(records[1], tree.root);  // It is in no list any more.
  EXPECT_TRUE(operations::cancel(tree.root, {}));
  EXPECT_EQ(records[0].runs, 1);
  EXPECT_EQ(records[1].runs, 0);
  EXPECT_EQ(records[2].runs, 1);
  EXPECT_EQ(records[3].runs, 0);
  for (auto& record : records) operations::delist(record);
  EXPECT_EQ(std::uint32_t{tree.root.records}, 0U);
}

/// Called from within a running callback, for those that were found with it.
TEST(CancelRecord, C8_OneIsSilencedWhileAnotherRuns) {
  using operations = internal::cancel_tree_operations;
  internal::cancel_tree<os::real_atomics> tree;
  operations::plant(tree, 1);
  struct silencing : plain_record {
    silencing(plain_record& record, internal::real_node& its)
        : plain_record(run_it), other(record), node_of_other(its) {}
    static void run_it(plain_record& self, const cancel_reason&) noexcept {
      auto& mine = static_cast<silencing&>(self);
      operations::silence(mine.other, mine.node_of_other);
    }
    plain_record& other;
    internal::real_node& node_of_other;
  };
  counting_record oldest;
  counting_record next;
  silencing newest(next, tree.root);
  operations::enlist(oldest, tree.root);
  operations::enlist(next, tree.root);
  operations::enlist(newest, tree.root);
  EXPECT_TRUE(operations::cancel(tree.root, {}));
  EXPECT_EQ(next.runs, 0);
  EXPECT_EQ(oldest.runs, 1);
  operations::delist(newest);
  operations::delist(next);
  operations::delist(oldest);
}

}  // namespace
}  // namespace bast
