// SPDX-License-Identifier: Apache-2.0
//
// The tree of cancellation (lib/bast/cancel/tree.hpp) in every order of its accesses: concurrent
// registration, cancellation and unregistration.
#include <gtest/gtest.h>

#include <memory>

#include "bast/cancel/tree.hpp"
#include "expect.hpp"
#include "explore.hpp"
#include "model_atomics.hpp"

namespace bast::interleave {
namespace {

using operations = bast::internal::cancel_operations<model_atomics>;
using tree_type = bast::internal::cancel_tree<model_atomics>;
using node_type = bast::internal::cancel_node<model_atomics>;
using record_type = bast::internal::cancel_record<model_atomics>;

/// Like os::make, whose memory the tree frees, for constructors that may be interrupted.
template <class T>
T* made() {
  return ::new (os::allocate(sizeof(T))) T;
}

/// A tree of one root, owned by the test.
class planted {
 public:
  planted() : tree_(made<tree_type>()) { operations::plant(*tree_, 1); }
  ~planted() { operations::drop(&tree_->root); }
  planted(const planted&) = delete;
  planted& operator=(const planted&) = delete;
  node_type& root() { return tree_->root; }

  static node_type* child_of(node_type& parent) {
    auto* const child = made<node_type>();
    operations::adopt(parent, *child, false, bast::internal::no_deadline);
    return child;
  }

 private:
  tree_type* tree_;
};

/// Counts its runs in data that only the laws' order protects.
struct counting : record_type {
  counting() : record_type(count) {}
  model_atomics::plain<int> ran{0};
  static void count(record_type& self, const cancel_reason&) noexcept {
    auto& mine = static_cast<counting&>(self);
    mine.ran = mine.ran + 1;
  }
};

void cancel(node_type& n) { operations::cancel(n, {}); }

TEST(CancelOrders, C7_RegisteringAgainstCancelling) {
  expect_exhausted(explore(every_order, [](world& w) {
    planted tree;
    counting callback;
    w.spawn([&] { operations::enlist(callback, tree.root()); });
    w.spawn([&] { cancel(tree.root()); });
    w.run();
    w.check(callback.ran == 1, "C-7: it ran once");
    operations::delist(callback);
  }));
}

TEST(CancelOrders, C8_UnregisteringAgainstCancelling) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    auto callback = std::make_unique<counting>();
    operations::enlist(*callback, tree.root());
    w.spawn([&] {
      operations::delist(*callback);
      // No other thread may use it any more: an unfinished run would race with this.
      w.check(callback->ran <= 1, "C-6: at most once");
      callback.reset();
    });
    w.spawn([&] { cancel(tree.root()); });
    w.run();
  }));
}

TEST(CancelOrders, C7_C8_AllThree) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    w.spawn([&] {
      counting callback;
      operations::enlist(callback, tree.root());
      operations::delist(callback);
      w.check(callback.ran <= 1, "C-6: at most once");
    });
    w.spawn([&] {
      counting callback;
      operations::enlist(callback, tree.root());
      operations::delist(callback);
    });
    w.spawn([&] { cancel(tree.root()); });
    w.run();
  }));
}

TEST(CancelOrders, C2_OneOfTwoCancelsWins) {
  expect_exhausted(explore(every_order, [](world& w) {
    planted tree;
    model_atomics::atomic<int> winners{0};
    for (int i = 0; i < 2; ++i) {
      w.spawn([&] {
        if (operations::cancel(tree.root(), {})) winners.fetch_add(1);
      });
    }
    w.run();
    w.check(winners.load() == 1, "C-2: one won");
  }));
}

/// Checks a node below when it is notified.
struct looking : record_type {
  explicit looking(world& in, node_type& at) : record_type(look), w(in), below(at) {}
  world& w;
  node_type& below;
  static void look(record_type& self, const cancel_reason&) noexcept {
    auto& mine = static_cast<looking&>(self);
    mine.w.check(operations::is_cancelled(mine.below), "C-4: what is below is marked");
    const cancel_reason why = operations::reason_of(mine.below);
    mine.w.check(why.code == cancel_code::parent, "C-3: and its reason is there");
  }
};

TEST(CancelOrders, C4_WhoeverIsToldSeesWhatIsBelowMarked) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    node_type* const child = planted::child_of(tree.root());
    looking callback(w, *child);
    w.spawn([&] { cancel(tree.root()); });
    w.spawn([&] { operations::enlist(callback, tree.root()); });
    w.spawn([&] {
      if (operations::is_cancelled(*child)) {
        w.check(operations::is_cancelled(tree.root()), "C-4: the parent of a cancelled source");
      }
    });
    w.run();
    operations::delist(callback);
    operations::drop(child);
  }));
}

TEST(CancelOrders, C4_ACancelGoesThroughWhatAnotherMarked) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    node_type* const middle = planted::child_of(tree.root());
    node_type* const leaf = planted::child_of(*middle);
    for (node_type* const top : {&tree.root(), middle}) {
      w.spawn([&w, leaf, top] {
        if (operations::cancel(*top, {})) {
          w.check(operations::is_cancelled(*leaf), "C-4: whatever is below is marked");
        }
      });
    }
    w.run();
    operations::drop(leaf);
    operations::drop(middle);
  }));
}

/// advance() passes through nodes that are not marked yet, and must not record any of them as
/// completely marked.
TEST(CancelOrders, C4_TellingTheTimeCompletesNothing) {
  expect_exhausted(explore({.bound = 2}, [](world& w) {
    planted tree;
    node_type* const middle = planted::child_of(tree.root());
    node_type* const inner = planted::child_of(*middle);
    node_type* const leaf = planted::child_of(*inner);
    w.spawn([&] {
      operations::advance(tree.root(), 5);
      cancel(tree.root());
      w.check(operations::is_cancelled(*leaf), "C-4: whatever is below is marked");
    });
    w.spawn([&] { cancel(*middle); });
    w.run();
    operations::drop(leaf);
    operations::drop(inner);
    operations::drop(middle);
  }));
}

TEST(CancelOrders, I4_AChildGoesWhileItsParentIsCancelled) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    node_type* const middle = planted::child_of(tree.root());
    node_type* const leaf = planted::child_of(*middle);
    node_type* const other = planted::child_of(tree.root());
    operations::drop(middle);  // The leaf holds it.
    w.spawn([&] { cancel(tree.root()); });
    w.spawn([&] { operations::drop(leaf); });
    w.run();
    w.check(operations::is_cancelled(*other), "C-4: the sibling is reached");
    operations::drop(other);
  }));
}

TEST(CancelOrders, C14_ADeadlineIsSetWhileTheTimeIsTold) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    w.spawn([&] { operations::advance(tree.root(), 5); });
    w.spawn([&] { operations::set_deadline(tree.root(), 5); });
    w.run();
    w.check(operations::is_cancelled(tree.root()), "C-14: one of the two saw that it is due");
  }));
}

TEST(CancelOrders, C14_AnAncestorsDeadlineIsSetWhileTheTimeIsTold) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    node_type* const child = planted::child_of(tree.root());
    w.spawn([&] { operations::advance(*child, 5); });
    w.spawn([&] { operations::set_deadline(tree.root(), 5); });
    w.run();
    w.check(operations::is_cancelled(tree.root()), "C-14: one of the two saw that it is due");
    w.check(operations::is_cancelled(*child), "C-14: and what is below it");
    operations::drop(child);
  }));
}

/// While a shield is lifted no thread relies on the completeness of its node.
TEST(CancelOrders, C13_WhoeverIsToldSeesWhatALiftedShieldKeptOut) {
  expect_exhausted(explore({.bound = 2}, [](world& w) {
    planted tree;
    node_type* const shielded = planted::child_of(tree.root());
    node_type* const below = planted::child_of(*shielded);
    operations::set_shield(*shielded, true);
    cancel(tree.root());
    w.check(!operations::is_cancelled(*below), "C-13: the shield keeps it out");
    looking callback(w, *below);
    w.spawn([&] { operations::set_shield(*shielded, false); });
    w.spawn([&] {
      if (!operations::is_cancelled(*shielded)) return;
      operations::enlist(callback, tree.root());
      operations::delist(callback);
    });
    w.run();
    w.check(operations::is_cancelled(*below), "C-13: it is reached");
    operations::drop(below);
    operations::drop(shielded);
  }));
}

TEST(CancelOrders, C16_AChildIsBornWhileItsParentIsCancelled) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted tree;
    node_type* child = nullptr;
    counting callback;
    w.spawn([&] {
      child = planted::child_of(tree.root());
      operations::enlist(callback, *child);
    });
    w.spawn([&] { cancel(tree.root()); });
    w.run();
    w.check(operations::is_cancelled(*child), "C-16: it is cancelled");
    w.check(callback.ran == 1, "C-6: and its callback ran");
    operations::delist(callback);
    operations::drop(child);
  }));
}

TEST(CancelOrders, I5_TheLastHolderFreesTheNode) {
  expect_exhausted(explore(bound_3, [](world& w) {
    auto tree = std::make_unique<planted>();
    node_type* const child = planted::child_of(tree->root());
    counting callback;
    operations::enlist(callback, *child);
    w.spawn([&] { operations::delist(callback); });
    w.spawn([&] { operations::drop(child); });
    w.spawn([&] { tree.reset(); });
    w.run();
  }));
}

TEST(CancelOrders, C9_TwoCancelsOfOneTreeUnregisterEachOthersCallbacks) {
  // Each callback unregisters the other one without waiting, as joined tokens do.
  struct rival : record_type {
    rival() : record_type(run) {}
    rival* other = nullptr;
    node_type* others_node = nullptr;
    static void run(record_type& self, const cancel_reason&) noexcept {
      auto& mine = static_cast<rival&>(self);
      operations::silence(*mine.other, *mine.others_node);
    }
  };
  expect_exhausted(explore(bound_3, [](world& w) {
    planted a;
    planted b;
    rival on_a;
    rival on_b;
    on_a.other = &on_b;
    on_a.others_node = &b.root();
    on_b.other = &on_a;
    on_b.others_node = &a.root();
    operations::enlist(on_a, a.root());
    operations::enlist(on_b, b.root());
    w.spawn([&] { cancel(a.root()); });
    w.spawn([&] { cancel(b.root()); });
    w.run();
    operations::delist(on_a);
    operations::delist(on_b);
  }));
}

/// Like joined tokens: a tree that a callback of another tree cancels, and whose end unregisters
/// that callback.
struct joined_tree {
  tree_type tree;  // first: its end receives it
  struct input_record : record_type {
    input_record() : record_type(run) {}
    tree_type* joined = nullptr;
    static void run(record_type& self, const cancel_reason& why) noexcept {
      operations::cancel_within(self, static_cast<input_record&>(self).joined->root, why);
    }
  } input;

  static joined_tree* on(node_type& joins) {
    auto* const self = made<joined_tree>();
    operations::plant(self->tree, 1);
    self->tree.end = end;
    self->input.joined = &self->tree;
    operations::enlist(self->input, joins);
    return self;
  }
  static void end(tree_type& dead, tree_type*& ending) noexcept {
    auto* const self = reinterpret_cast<joined_tree*>(&dead);
    operations::delist(self->input, ending);
    os::destroy(self);
  }
};

TEST(CancelOrders, C19_TheLastTokenGoesWhileItsInputIsCancelled) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted a;
    joined_tree* const joined = joined_tree::on(a.root());
    w.spawn([&] { cancel(a.root()); });
    w.spawn([&] { operations::drop(&joined->tree.root); });
    w.run();
  }));
}

TEST(CancelOrders, C19_ACallbackIsEnoughToHoldWhatIsJoined) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted a;
    joined_tree* const joined = joined_tree::on(a.root());
    counting callback;
    operations::enlist(callback, joined->tree.root);
    w.spawn([&] { cancel(a.root()); });
    w.spawn([&] { operations::drop(&joined->tree.root); });
    w.run();
    w.check(callback.ran == 1, "C-6: it ran once");
    operations::delist(callback);
  }));
}

TEST(CancelOrders, C19_UnregisteringTheLastThatHoldsWhatIsJoined) {
  expect_exhausted(explore(bound_3, [](world& w) {
    planted a;
    joined_tree* const joined = joined_tree::on(a.root());
    counting callback;
    operations::enlist(callback, joined->tree.root);
    w.spawn([&] { cancel(a.root()); });
    w.spawn([&] {
      operations::drop(&joined->tree.root);
      operations::delist(callback);
      callback.ran = callback.ran + 1;  // C-8: no other thread uses it any more
    });
    w.run();
  }));
}

}  // namespace
}  // namespace bast::interleave
