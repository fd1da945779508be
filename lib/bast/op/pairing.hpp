// SPDX-License-Identifier: Apache-2.0
//
// The heart of the algebra: how two waiters, each of which may wait for several things, come to
// commit with each other and with nobody else. Nothing here knows what is waited for.
//
// Each waiter has one word (coro/waiter.hpp): waiting, claimed, synchronised. An object has a lock
// and lists of nodes; a node says whose it is, which value the word has while the node counts (the
// armed word), and which arm of its waiter's choice it stands for.
//
//   P1  A node is linked and unlinked under its object's lock, and used by others only under it. A
//       committer unlinks the node that it commits, and may use it until it wakes the waiter. With
//       other nodes, clearing `linked` is the last access.
//   P2  Both words change under the lock of the object where the two meet.
//   P3  One that has no linked node cannot be committed by anybody, so it takes the other with one
//       exchange. Its word need not be armed.
//   P4  One that has linked nodes claims its own word first. While it is claimed nobody else can
//       commit it, so that, after the other word is taken too, both are: exactly one pair.
//   P5  If the other is claimed, it is in the same situation with a third, or with us. It will
//       either commit or let go: it waits for no lock (waiter, I6). Of two that hold claims and
//       want each other, or of several in a ring, not all may keep them, and not all may let go: by
//       address, the lower keeps its claim and tries again, the higher lets go and waits until the
//       lower has gone on, or it is taken itself. Both letting go livelocks: models/commit.py of
//       the design notes has the cycles.
//
// Proof of progress: consider the claimed waiter with the lowest address. It keeps its claim, and
// what it waits for is claimed by one of a higher address, which lets go after finitely many steps.
// So the lowest commits, or finds that the other has ended and lets go by itself.
//
// stress/interleave/op_test.cpp runs this code in every order.
#pragma once

#include <cstdint>

#include "bast/coro.hpp"

namespace bast::inline BAST_ABI::internal {

/// How an attempt to commit with another waiter ended.
enum class pairing : std::uint8_t {
  committed,  // both; wake() of the other must follow
  gone,       // the other has ended: its node is one that its owner has not unlinked yet
  lost,       // we have been committed by a third: nothing more may be tried, and a wake comes
};

/// Takes `peer` for one that has no linked node itself (P3). Under the object's lock.
template <class Atomics, class Executor>
pairing commit_alone(basic_waiter<Atomics, Executor>& peer, std::uint64_t armed,
                     std::uint16_t arm) noexcept {
  using attempt = typename basic_waiter<Atomics, Executor>::attempt;
  for (unsigned round = 0;; ++round) {
    const attempt got = peer.try_commit(armed, arm);
    if (got != attempt::claimed) {
      return got == attempt::committed ? pairing::committed : pairing::gone;
    }
    Atomics::relax(round);
  }
}

/// One waiter in a pair: its word while it waits, and the arm that it would commit.
template <class Atomics, class Executor>
struct basic_party {
  basic_waiter<Atomics, Executor>& who;
  std::uint64_t armed;
  std::uint16_t arm;
};

/// Commits both or neither (P4, P5). Under the object's lock. After `committed`, `mine` is settled.
template <class Atomics, class Executor>
pairing commit_pair(const basic_party<Atomics, Executor>& mine,
                    const basic_party<Atomics, Executor>& peer) noexcept {
  using attempt = typename basic_waiter<Atomics, Executor>::attempt;
  const bool keeps = reinterpret_cast<std::uintptr_t>(&mine.who) <
                     reinterpret_cast<std::uintptr_t>(&peer.who);  // P5
  while (true) {
    if (!mine.who.claim(mine.armed)) return pairing::lost;
    attempt got = peer.who.try_commit(peer.armed, peer.arm);
    for (unsigned round = 0; keeps && got == attempt::claimed; ++round) {
      Atomics::relax(round);
      got = peer.who.try_commit(peer.armed, peer.arm);
    }
    if (got == attempt::committed) {
      mine.who.settle(mine.armed, mine.arm);
      return pairing::committed;
    }
    mine.who.unclaim(mine.armed);
    if (got == attempt::ended) return pairing::gone;
    // Lets the lower one go on; it may take us.
    for (unsigned round = 0; peer.who.is_claimed(peer.armed) && mine.who.is_waiting(mine.armed);
         ++round) {
      Atomics::relax(round);
    }
  }
}

/// Wakes waiters that were committed, whose nodes `next` links; null: none. By their committer,
/// after it has unlocked. A node is gone once its waiter is awake.
template <class Node>
void wake_chain(Node* woken) noexcept {
  while (woken != nullptr) {
    Node* const next = woken->next;
    woken->who->wake();
    woken = next;
  }
}

/// A flag whose clearing is the last access to its object (P1).
template <class Atomics>
class last_flag {
 public:
  last_flag& operator=(bool set) noexcept {
    // Release: pairs with the acquire below. Who sees it clear comes after all uses of the node.
    flag_.store(set, std::memory_order_release);
    return *this;
  }
  operator bool() const noexcept {
    // Acquire: pairs with the release above.
    return flag_.load(std::memory_order_acquire);
  }

 private:
  typename Atomics::template atomic<bool> flag_{false};
};

/// A waiter's place in an object's list.
template <class Atomics, class Executor>
struct basic_wait_node {
  basic_waiter<Atomics, Executor>* who = nullptr;
  std::uint64_t armed = 0;
  std::uint16_t arm = 0;

  typename Atomics::template plain<basic_wait_node*> next = nullptr;
  typename Atomics::template plain<basic_wait_node*> previous = nullptr;
  last_flag<Atomics> linked;
};

}  // namespace bast::inline BAST_ABI::internal
