// SPDX-License-Identifier: Apache-2.0
//
// A cancel, and workers that take fibers of its domain, in every order
// (lib/bast/sched/announced.hpp): each fiber is found or finds the mark (C-18), and each list is
// freed once.
#include "bast/sched/announced.hpp"

#include <gtest/gtest.h>

#include <array>

#include "bast/lockfree.hpp"
#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave {
namespace {

struct list {
  plain<list*> other = nullptr;
  plain<list*> next = nullptr;
  bast::internal::basic_list_message<model_atomics> message;
  bool was_sent = false;
  bool saw_mark = false;
};

using lists = bast::internal::basic_announced_lists<model_atomics, list>;

/// `looks_first`: the broken canceller, which reads the lists before it marks.
auto each_is_found_or_sees_the_mark(int workers, bool looks_first) {
  return [=](world& w) {
    lists all;
    std::array<list, 2> mine;
    atomic<bool> mark{false};
    w.spawn([&] {
      list* at = looks_first ? all.first_after_mark() : nullptr;
      mark.store(true, release);
      if (!looks_first) at = all.first_after_mark();
      for (; at != nullptr; at = at->other) at->was_sent = true;
    });
    for (int i = 0; i < workers; ++i) {
      w.spawn([&, i] {
        list& own = mine[static_cast<std::size_t>(i)];
        all.announce(own);
        own.saw_mark = mark.load(acquire);
      });
    }
    w.run();
    for (int i = 0; i < workers; ++i) {
      const list& own = mine[static_cast<std::size_t>(i)];
      w.check(own.was_sent || own.saw_mark, "found, or finds");
    }
  };
}

TEST(AnnouncedLists, C18_EachIsFoundOrSeesTheMark) {
  expect_all_orders(each_is_found_or_sees_the_mark(1, false));
  expect_all_orders(each_is_found_or_sees_the_mark(2, false));
  EXPECT_NE(explore(quietly, each_is_found_or_sees_the_mark(1, true)).failure, "");
}

TEST(AnnouncedLists, TheDomainOrTheWorkerFreesAList) {
  expect_all_orders([](world& w) {
    list one;
    bast::basic_inbox<list, model_atomics> inbox;
    plain<int> freed = 0;
    w.spawn([&] {
      one.message.send();
      inbox.push(one);
      if (one.message.disown()) freed = freed + 1;
    });
    w.spawn([&] {
      for (list* at = inbox.take(); at != nullptr; at = at->next) {
        if (at->message.handle()) freed = freed + 1;
      }
    });
    w.run();
    for (list* at = inbox.take(); at != nullptr; at = at->next) {
      if (at->message.handle()) freed = freed + 1;
    }
    w.check(freed == 1, "once");
  });
}

}  // namespace
}  // namespace bast::interleave
