// SPDX-License-Identifier: Apache-2.0
//
// `branch`: an arm of a choice while it is performed, on the performer's stack. A `leaf` waits for
// one object; a lazy branch (guard.hpp) makes its leaves when it is tried.
//
// This is what the author of a new op implements; op/README.md shows one. The templates take their
// atomics and executor from `Traits`, so that the interleaving checker runs the code that ships.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "bast/coro.hpp"
#include "bast/op/pairing.hpp"

namespace bast::inline BAST_ABI::internal {

struct real_traits {
  using atomics = os::real_atomics;
  using executor = internal::executor;
  using waiter = internal::waiter;
};

template <class Traits>
class basic_performer;
template <class Traits>
class basic_leaf;

template <class Traits>
using wait_node_of = basic_wait_node<typename Traits::atomics, typename Traits::executor>;
template <class Traits>
using wait_list_of = linked_list<wait_node_of<Traits>>;
template <class Traits>
using lock_of = os::basic_lock<typename Traits::atomics>;

/// What an attempt did.
enum class progress : std::uint8_t {
  none,       // There was nothing to commit with. After enlist(): its nodes are linked.
  committed,  // Here and now; the value is where the plan takes it from.
  lost,       // By enlist(): another branch has been committed by a peer, whose wake comes.
  failed,     // A guard, or a limit; performer.failure() says which.
  again,      // By enlist(): its object has changed since attempt(). The perform tries again.
};

template <class Traits>
class basic_branch {
 public:
  using performer = basic_performer<Traits>;
  using leaf = basic_leaf<Traits>;

  basic_branch() = default;
  basic_branch(const basic_branch&) = delete;
  basic_branch& operator=(const basic_branch&) = delete;

  /// A hint from relaxed loads, without a lock; true if in doubt. True too if attempt() has an
  /// effect of its own.
  virtual bool looks_ready() const noexcept = 0;
  /// Commits if that is possible at once, under the object's lock. Registers nothing (O-3).
  virtual progress attempt(performer& who) = 0;
  /// The waiter is armed: commits, or links a node, under one hold of the lock. Allocates nothing.
  virtual progress enlist(performer& who) = 0;
  /// Unlinks what is still linked, and takes a lock only for that.
  virtual void delist() noexcept = 0;
  /// The perform has ended; null: nothing was committed. Called after delist(), in the order of the
  /// program.
  virtual void end(const leaf* /*chosen*/) noexcept {}
  /// The perform has ended, perhaps on an abandoned stack, so without user code. Passes on a wake
  /// that it has not used (Y-4). Called after delist(), before any end().
  virtual void pass_on() noexcept {}
  /// The leaf that has this arm, or null.
  virtual leaf* leaf_of(std::uint16_t arm) noexcept = 0;

  basic_branch* next = nullptr;
  /// Tried after all others of a perform, also if more are ready: a time limit, which a ready op
  /// beats (O-14).
  bool is_last_resort = false;

 protected:
  ~basic_branch() = default;
};

/// A branch for one object.
template <class Traits>
class basic_leaf : public basic_branch<Traits> {
 public:
  using leaf = basic_leaf;

  leaf* leaf_of(std::uint16_t arm) noexcept final { return node.arm == arm ? this : nullptr; }
  /// True if enlist() commits with whatever attempt() would: then a perform of this leaf alone does
  /// without the attempt.
  static constexpr bool tries_when_enlisted = false;

  /// In one list at a time.
  struct wait_node : wait_node_of<Traits> {
    basic_leaf* of = nullptr;
  };
  wait_node node;

 protected:
  basic_leaf() noexcept {
    node.of = this;
    node.arm = arm_cancelled;
  }
  ~basic_leaf() = default;

  /// What delist() does for one object. Does not touch it if the node is not linked: it may be gone
  /// (Y-14).
  void unlink(lock_of<Traits>& lock, wait_list_of<Traits>& from) noexcept {
    if (!node.linked) return;
    lock.lock();
    if (node.linked) from.remove(node);
    lock.unlock();
  }
};

/// The form of an op that is one leaf, during one perform; take() is the op's own.
template <class Leaf>
class leaf_plan {
 public:
  template <class... Args>
  explicit leaf_plan(Args&&... arguments) : leaf_(std::forward<Args>(arguments)...) {}
  leaf_plan(const leaf_plan&) = delete;
  leaf_plan& operator=(const leaf_plan&) = delete;

  template <class List>
  void gather(List& list) {
    list.append(leaf_);
  }
  bool has(const typename Leaf::performer::leaf* chosen) const { return chosen == &leaf_; }
  /// A plan that has this function has no other branch, and is performed inline.
  Leaf& only() noexcept { return leaf_; }

 protected:
  ~leaf_plan() = default;
  Leaf leaf_;
};

/// The branches of one perform, in the order of the program.
template <class Traits>
class basic_branch_list {
 public:
  void append(basic_branch<Traits>& b) noexcept {
    (last_ != nullptr ? last_->next : first_) = &b;
    last_ = &b;
    ++size_;
  }
  basic_branch<Traits>* first() const noexcept { return first_; }
  static basic_branch<Traits>* after(const basic_branch<Traits>& b) noexcept { return b.next; }
  std::size_t size() const noexcept { return size_; }

 private:
  basic_branch<Traits>* first_ = nullptr;
  basic_branch<Traits>* last_ = nullptr;
  std::size_t size_ = 0;
};

/// Several branches that are one arm: they are tried in their order, one after the other.
template <class Traits>
class basic_group : public basic_branch<Traits> {
 public:
  using typename basic_branch<Traits>::performer;
  using typename basic_branch<Traits>::leaf;

  bool looks_ready() const noexcept override {
    for (auto* b = inner.first(); b != nullptr; b = b->next) {
      if (b->looks_ready()) return true;
    }
    return false;
  }
  progress attempt(performer& who) override {
    return first_progress([&](auto& b) { return b.attempt(who); });
  }
  progress enlist(performer& who) override {
    return first_progress([&](auto& b) { return b.enlist(who); });
  }
  void delist() noexcept override {
    for (auto* b = inner.first(); b != nullptr; b = b->next) b->delist();
  }
  void end(const leaf* chosen) noexcept override {
    for (auto* b = inner.first(); b != nullptr; b = b->next) b->end(chosen);
  }
  void pass_on() noexcept override {
    for (auto* b = inner.first(); b != nullptr; b = b->next) b->pass_on();
  }
  leaf* leaf_of(std::uint16_t arm) noexcept override {
    leaf* found = nullptr;
    for (auto* b = inner.first(); b != nullptr && found == nullptr; b = b->next) {
      found = b->leaf_of(arm);
    }
    return found;
  }

  basic_branch_list<Traits> inner;

 protected:
  ~basic_group() = default;

 private:
  template <class F>
  progress first_progress(F f) {
    progress got = progress::none;
    for (auto* b = inner.first(); b != nullptr && got == progress::none; b = b->next) got = f(*b);
    return got;
  }
};

}  // namespace bast::inline BAST_ABI::internal
