// SPDX-License-Identifier: Apache-2.0
//
// The state of a wait_group: the number of active members and the waiters. A template over the
// atomics, for the interleaving checker.
//
//   I1  The count becomes 0 only under the lock, and the thread that makes it 0 releases all
//       waiters. A thread that reads 0 and then acquires the lock comes after the last access of
//       every member, and may destroy the list (Y-14).
//   I2  A node is linked from enlist() until its waiter is released or delist() removes it. A
//       waiter that is not released keeps the list alive until delist() has returned.
#pragma once

#include "bast/coro.hpp"

namespace bast::inline BAST_ABI::internal {

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
  /// Requires settle(), no active member and no waiter.
  ~basic_wait_list() = default;
  /// Returns after the last access of the thread that made the count 0 (I1).
  void settle() noexcept {
    if (BAST_MUTANT(ends_without_the_lock)) return;
    lock_.lock();
    lock_.unlock();
  }

  /// Adds a member; returns the previous count.
  std::uint32_t begin() noexcept {
    // Relaxed: a caller that waits for this member has learned of it by other means.
    return active_.fetch_add(1, std::memory_order_relaxed);
  }
  /// Removes a member; the last one wakes the waiters, after its last access to the list.
  void done() noexcept {
    std::uint32_t left = active_.load(std::memory_order_relaxed);
    while (left > 1) {
      // Release: pairs with the acquire of the last member and of active().
      if (active_.compare_exchange_weak(left, left - 1, std::memory_order_release,
                                        std::memory_order_relaxed)) {
        return;
      }
    }
    lock_.lock();
    // Acquire and release: pairs with the release above, so that the work of all members happens
    // before the waiters continue, and with the acquire of active().
    linked_list<node> released;
    if (active_.fetch_sub(1, std::memory_order_acq_rel) == 1) release_all(released);
    lock_.unlock();
    while (node* const n = released.pop()) n->who->wake();
  }
  std::uint32_t active() const noexcept {
    // Acquire: pairs with the release in done().
    return active_.load(std::memory_order_acquire);
  }

  /// Links `n`, of an armed waiter. Returns false, and links nothing, if no member is active.
  [[nodiscard]] bool enlist(node& n) noexcept {
    lock_.lock();
    const bool has_members = active() != 0;
    if (has_members) waiting_.append(n);
    lock_.unlock();
    return has_members;
  }
  /// Removes `n` of a waiter that was not released.
  void delist(node& n) noexcept {
    lock_.lock();
    if (n.linked) waiting_.remove(n);
    lock_.unlock();
  }

 private:
  /// Commits all waiters, oldest first. Those that were cancelled before are left to their owners.
  void release_all(linked_list<node>& released) noexcept {
    while (node* const n = waiting_.pop()) {
      if (n->who->commit(n->armed, arm_first)) released.append(*n);
    }
  }

  typename Atomics::template atomic<std::uint32_t> active_{0};
  os::basic_lock<Atomics> lock_;
  linked_list<node> waiting_;
};

}  // namespace bast::inline BAST_ABI::internal
