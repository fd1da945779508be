// SPDX-License-Identifier: Apache-2.0
//
// Two kinds of object that leaves wait for, to derive from or to copy:
//
//   meeting_leaf   two sides meet and pass something on: a channel, a rendezvous
//   once_event     one side happens, once: a nack
#pragma once

#include <cstddef>

#include "bast/op/performer.hpp"

namespace bast::inline BAST_ABI::internal {

/// One side of an object where two meet.
template <class Traits>
class basic_meeting_leaf : public basic_leaf<Traits> {
 public:
  using typename basic_leaf<Traits>::leaf;
  using performer = basic_performer<Traits>;
  using list = wait_list_of<Traits>;

  /// `mine`: where it waits; `others`: whom it waits for. Both under `lock`.
  basic_meeting_leaf(lock_of<Traits>& lock, list& mine, list& others) noexcept
      : lock_(lock), mine_(mine), others_(others) {}

  static constexpr bool tries_when_enlisted = true;

  bool looks_ready() const noexcept final { return true; }
  progress attempt(performer& who) final { return meet(who, false); }
  progress enlist(performer& who) final {
    return who.number(*this) ? meet(who, true) : progress::failed;
  }
  void delist() noexcept final { this->unlink(lock_, mine_); }

 protected:
  ~basic_meeting_leaf() = default;
  /// Moves the value between this and `peer`, a leaf of the other side, whose waiter stands still.
  virtual void pass(leaf& peer) noexcept = 0;

 private:
  progress meet(performer& who, bool links) {
    bool lost = false;
    lock_.lock();
    leaf* const peer = who.commit_with(others_, *this, lost);
    if (peer == nullptr && !lost && links) who.link(*this, mine_);
    // The last access to the object, once committed.
    lock_.unlock();
    if (peer == nullptr) return lost ? progress::lost : progress::none;
    pass(*peer);
    performer::wake(*peer);
    return progress::committed;
  }

  lock_of<Traits>& lock_;
  list& mine_;
  list& others_;
};

/// Happens once, and stays so.
template <class Traits>
class basic_once_event {
 public:
  /// Any thread, any number of times. Wakes all that wait.
  void fire() noexcept {
    wait_node_of<Traits>* woken = nullptr;
    lock_.lock();
    // Release: pairs with the acquire in has_fired().
    fired_.store(true, std::memory_order_release);
    while (waiting_.front() != nullptr) {
      wait_node_of<Traits>* const n = waiting_.front();
      const pairing got = commit_alone(*n->who, n->armed, n->arm);
      // If it is not committed, its owner may go on at once (P1).
      waiting_.remove(*n);
      if (got != pairing::committed) continue;
      n->next = woken;  // Ours until its wake.
      woken = n;
    }
    lock_.unlock();
    wake_chain(woken);
  }
  bool has_fired() const noexcept {
    // Acquire: pairs with the release in fire().
    return fired_.load(std::memory_order_acquire);
  }

  /// Performs that are linked here.
  std::size_t waiting() noexcept {
    lock_.lock();
    const std::size_t count = waiting_.size();
    lock_.unlock();
    return count;
  }

  class leaf final : public basic_leaf<Traits> {
   public:
    using performer = basic_performer<Traits>;
    explicit leaf(basic_once_event& event) noexcept : event_(event) {}
    static constexpr bool tries_when_enlisted = true;

    bool looks_ready() const noexcept final { return event_.has_fired(); }
    progress attempt(performer& who) final { return look(who, false); }
    progress enlist(performer& who) final {
      return who.number(*this) ? look(who, true) : progress::failed;
    }
    void delist() noexcept final { this->unlink(event_.lock_, event_.waiting_); }

   private:
    // Under the lock also in phase 1: fire() unlocks after it has set the flag, and whoever has
    // committed may destroy the event (Y-14).
    progress look(performer& who, bool links) {
      progress got = progress::none;
      event_.lock_.lock();
      if (event_.has_fired()) {
        got = who.commit_self(*this) ? progress::committed : progress::lost;
      } else if (links) {
        who.link(*this, event_.waiting_);
      }
      event_.lock_.unlock();
      return got;
    }
    basic_once_event& event_;
  };

 private:
  lock_of<Traits> lock_;
  wait_list_of<Traits> waiting_;
  typename Traits::atomics::template atomic<bool> fired_{false};
};

}  // namespace bast::inline BAST_ABI::internal
