// SPDX-License-Identifier: Apache-2.0
//
// How many members of a wait_group are at work, and who waits until none is. A template over its
// atomics, for the interleaving checker.
//
//   I1  The count becomes 0 only under the lock, and whoever makes it 0 takes all that wait then.
//       So whoever finds 0 and then takes the lock comes after the last access of every member, and
//       may end the list (Y-14). Whoever waits and is not released takes its node out, and holds
//       the list until then.
//   I2  A node is linked while it is in the list, from enlist() to release or delist().
#pragma once

#include "bast/coro/waiter.hpp"

namespace bast::internal {

template <class Atomics, class Executor>
class basic_wait_list {
 public:
  using waiter = basic_waiter<Atomics, Executor>;
  struct node {
    waiter* who = nullptr;
    typename waiter::armed_word armed = 0;
    typename Atomics::template plain<node*> next = nullptr;
    node* previous = nullptr;
    bool linked = false;
  };

  basic_wait_list() = default;
  basic_wait_list(const basic_wait_list&) = delete;
  basic_wait_list& operator=(const basic_wait_list&) = delete;
  /// After settle(): nobody is at work and nobody waits.
  ~basic_wait_list() = default;
  /// Comes back after the last access of whoever made the count 0 (I1).
  void settle() noexcept {
    if (BAST_MUTANT(ends_without_the_lock)) return;
    lock_.lock();
    lock_.unlock();
  }

  /// One more at work; how many there were.
  std::uint32_t begin() noexcept {
    // Relaxed: whoever waits was told of the member by other means.
    return active_.fetch_add(1, std::memory_order_relaxed);
  }
  /// One less; the last wakes whoever waits. The last access to the list comes before that.
  void done() noexcept {
    std::uint32_t left = active_.load(std::memory_order_relaxed);
    while (left > 1) {
      // Release: pairs with the acquire of the last one and of active().
      if (active_.compare_exchange_weak(left, left - 1, std::memory_order_release,
                                        std::memory_order_relaxed)) {
        return;
      }
    }
    lock_.lock();
    // Acquire and release: pairs with the release above, so that what all members did is told to
    // whoever is woken here, and with the acquire of active().
    node* released = nullptr;
    if (active_.fetch_sub(1, std::memory_order_acq_rel) == 1) released = release_all();
    lock_.unlock();
    while (released != nullptr) {
      node* const next = released->next;
      released->who->wake();
      released = next;
    }
  }
  std::uint32_t active() const noexcept {
    // Acquire: pairs with the release in done().
    return active_.load(std::memory_order_acquire);
  }

  /// Links `n`, of an armed waiter, unless nobody is at work: then false.
  [[nodiscard]] bool enlist(node& n) noexcept {
    lock_.lock();
    const bool has_members = active() != 0;
    if (has_members) {
      n.linked = true;
      n.previous = last_;
      n.next = nullptr;
      (last_ != nullptr ? last_->next : first_) = &n;
      last_ = &n;
    }
    lock_.unlock();
    return has_members;
  }
  /// Takes out `n`, whose wait ended otherwise.
  void delist(node& n) noexcept {
    lock_.lock();
    if (n.linked) unlink(n);
    lock_.unlock();
  }

 private:
  void unlink(node& n) noexcept {
    node* const next = n.next;
    (n.previous != nullptr ? n.previous->next : first_) = next;
    (next != nullptr ? next->previous : last_) = n.previous;
    n.linked = false;
  }
  /// Commits everybody, oldest first; returns those who were not cancelled before, linked by next.
  node* release_all() noexcept {
    node* released = nullptr;
    node* latest = nullptr;
    while (node* const n = first_) {
      unlink(*n);
      if (!n->who->commit(n->armed, arm_first)) continue;  // It is its owner's from here on.
      n->next = nullptr;
      if (latest != nullptr) {
        latest->next = n;
      } else {
        released = n;
      }
      latest = n;
    }
    return released;
  }

  typename Atomics::template atomic<std::uint32_t> active_{0};
  os::basic_lock<Atomics> lock_;
  typename Atomics::template plain<node*> first_ = nullptr;
  node* last_ = nullptr;
};

}  // namespace bast::internal
