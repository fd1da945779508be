// SPDX-License-Identifier: Apache-2.0
//
// How a worker goes to sleep without missing what comes meanwhile, and how a runtime ends without
// missing a guest. stress/interleave/idle_test.cpp runs this code in every order.
//
//   the sleeper                          who brings something for it
//   announce()                           pushes it
//   looks at its inbox again             if (ring()) wakes it
//   sleeps, or not
//   retract()
//
//   the thief                            who pushes a fiber that any worker may take
//   group.announce()                     pushes it
//   looks at all deques again            if (group.wants_thief()) group.call_thief()
//   sleeps, or not
//   group.retract()
//   looks at all deques
//
//   I1  All changes of a flag are exchanges that acquire and release, so each of them sees all that
//       came before the others. Either the ring sees the announcement, or what was pushed before
//       the ring is seen after the announcement.
//   I2  Deques are pushed to without an exchange. There a fence on either side does the same:
//       between announcement and look, and between push and the question.
//   I3  `searching_` is 1 from a ring until the worker that was rung is awake and about to look: it
//       will see what is pushed meanwhile, so none else need be rung.
#pragma once

#include <bast/config.hpp>
#include <cstdint>

#include "bast/lockfree.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

/// Whether one worker sleeps, or is about to.
template <class Atomics>
class basic_sleep_flag {
 public:
  // Acquire and release: each exchange pairs with the others (I1).
  void announce() noexcept { (void)sleeps_.exchange(true, std::memory_order_acq_rel); }
  void retract() noexcept { (void)sleeps_.exchange(false, std::memory_order_acq_rel); }
  /// Any thread: true if the caller must wake the worker. One wake for each announcement.
  [[nodiscard]] bool ring() noexcept {
    return sleeps_.exchange(false, std::memory_order_acq_rel);  // pairs with the others (I1)
  }

 private:
  typename Atomics::template atomic<bool> sleeps_{false};
};

/// The sleeping workers of a group.
template <class Atomics>
class basic_idle_group {
 public:
  /// Before the last look at the deques.
  void announce() noexcept {
    sleepers_->fetch_add(1, std::memory_order_relaxed);  // I2
    Atomics::fence(std::memory_order_seq_cst);
  }
  /// After sleep. The worker looks at all deques then, and at the latest after the next announce().
  void retract() noexcept {
    sleepers_->fetch_sub(1, std::memory_order_relaxed);
    searching_->store(0, std::memory_order_relaxed);  // I3: before the fence of announce()
  }
  /// Instead of retract(), by a worker that was rung though it is no thief, and did not announce.
  void decline() noexcept { searching_->store(0, std::memory_order_relaxed); }
  /// After a push: true if a sleeping worker should be called.
  [[nodiscard]] bool wants_thief() noexcept {
    Atomics::fence(std::memory_order_seq_cst);  // I2
    return sleepers_->load(std::memory_order_relaxed) != 0 &&
           searching_->load(std::memory_order_relaxed) == 0;
  }
  /// Then: `ring_one()` rings one that sleeps, and returns false if none did.
  template <class F>
  void call_thief(F ring_one) noexcept {
    if (searching_->exchange(1, std::memory_order_relaxed) != 0) return;  // I3
    if (ring_one()) return;
    searching_->store(0, std::memory_order_relaxed);
    // Others have left it to this call. Those who come from here on do it themselves; but a worker
    // that fell asleep behind the search above has not seen what they pushed.
    Atomics::fence(std::memory_order_seq_cst);
    (void)ring_one();
  }

 private:
  padded<typename Atomics::template atomic<std::uint32_t>> sleepers_;
  padded<typename Atomics::template atomic<std::uint32_t>> searching_;
};

/// Who may still pass something to a runtime that ends.
template <class Atomics>
class basic_guest_list {
 public:
  /// A guest enters, passes what it has unless the list is closed, and leaves.
  void enter() noexcept {
    // Seq_cst: with close() and is_closed(), one of a guest and the end sees the other.
    count_->fetch_add(1, std::memory_order_seq_cst);
  }
  /// The guest's last access.
  void leave() noexcept {
    count_->fetch_sub(1, std::memory_order_release);  // pairs with the load in drain()
  }
  [[nodiscard]] bool is_closed() const noexcept { return closed_.load(std::memory_order_seq_cst); }
  /// Later guests find it closed; waits for the others.
  void close() noexcept {
    closed_.store(true, std::memory_order_seq_cst);
    // Acquire, as part of seq_cst: pairs with the release in leave().
    for (unsigned round = 0; count_->load(std::memory_order_seq_cst) != 0; ++round) {
      Atomics::relax(round);
    }
  }

 private:
  padded<typename Atomics::template atomic<std::uint32_t>> count_;
  typename Atomics::template atomic<bool> closed_{false};
};

}  // namespace bast::inline BAST_ABI::internal
