// SPDX-License-Identifier: Apache-2.0
//
// `waiter`: a coroutine or an OS thread that waits. All blocking operations are built on it, so
// that a wait ends exactly once, for one reason, and a waker never runs the code of the waiter.
//
//   63        18 17      2 1     0
//   [ epoch     | arm     | state ]
//
//   owner                                 committer, on any thread
//   arm(): idle -> waiting
//   links a node with the armed word
//   wait()                                locks the object, finds the node
//                                         commit(armed, arm): waiting -> synchronised
//                                         unlinks the node, unlocks the object
//                                         wake(): through the coroutine's executor, or a futex
//   wait() returns the arm
//
//   I1  Of all commits of one armed word exactly one succeeds. A commit that fails changes nothing.
//   I2  Committers reach a waiter through a node that is linked in an object, under that object's
//       lock, or through a callback whose unregistration waits for it. After the owner has removed
//       its nodes and callbacks, and no wake is pending, only the owner accesses the waiter.
//   I3  Each successful commit by another is followed by exactly one wake(), which is the
//       committer's last access. The owner neither continues nor ends before it. What the owner
//       commits itself, by settle(), withdraw(), or wait_until() at its deadline, is followed by
//       none.
//   I4  An armed word is never valid twice at one address: the owner's thread counts the epochs,
//       and a coroutine never leaves its thread.
//   I6  Only the owner claims, and while it holds the claim it waits for no lock and runs no user
//       code. So who meets a claim may spin until it is gone.
//   I5  In a forked child there is no executor and no committer of the parent: wake() and
//       withdraw() do not access them (IO-15).
//
// For the layers above. docs/rationale.md, "Waiting", has the reasons.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bast/coro/executor.hpp"
#include "bast/coro/switch_to.hpp"

namespace bast::inline BAST_ABI::internal {

enum class wait_state : std::uint8_t {
  idle,
  waiting,
  claimed,  // by its owner, which is about to commit itself and another waiter
  synchronised,
};

/// The arm that ends a wait for a single object, and the one that cancels a wait.
inline constexpr std::uint16_t arm_first = 0;
inline constexpr std::uint16_t arm_cancelled = 0xffff;
/// Ends a wait without a reason but that the owner tries again what it waits for.
inline constexpr std::uint16_t arm_retry = 0xfffe;

/// wake(), wait(), depart() and withdraw() are not inlined: so each call through an executor is in
/// one function in every build, where the annotations of bast-stacks know it.
template <class Atomics, class Executor>
class basic_waiter {
 public:
  using armed_word = std::uint64_t;

  /// A coroutine that `home` resumes, or the calling OS thread if `home` is null.
  basic_waiter(Executor* home, coro_block* coroutine) noexcept
      : home_(home),
        process_(home != nullptr ? home->process() : Executor::process_mark::here()),
        link_{.coroutine = coroutine} {}
  basic_waiter(const basic_waiter&) = delete;
  basic_waiter& operator=(const basic_waiter&) = delete;
  ~basic_waiter() = default;  // Requires that the owner has waited or withdrawn.

  /// Owner only, before the first node is linked. From here on the wait can be committed, also
  /// before wait(). `epoch` is new at this address (I4). Relaxed: the object's lock publishes it.
  armed_word arm(std::uint64_t epoch) noexcept {
    const armed_word armed = epoch << epoch_shift | word_of(arm_first, wait_state::waiting);
    word_.store(armed, std::memory_order_relaxed);
    return armed;
  }

  /// Ends the wait with `arm` unless it has ended. If it returns true, wake() must follow. Any
  /// thread that I2 allows.
  [[nodiscard]] bool commit(armed_word armed, std::uint16_t arm) noexcept {
    BAST_ASSERT((armed & state_mask) == static_cast<armed_word>(wait_state::waiting));
    // Acquire and release: pairs with the other commits of this word, one of them in withdraw().
    return word_.compare_exchange_strong(
        armed, (armed & ~low_mask) | word_of(arm, wait_state::synchronised),
        std::memory_order_acq_rel, std::memory_order_relaxed);
  }
  /// As commit(), and tells a wait that has ended from one that its owner has claimed (I6).
  enum class attempt : std::uint8_t { committed, claimed, ended };
  [[nodiscard]] attempt try_commit(armed_word armed, std::uint16_t arm) noexcept {
    armed_word found = armed;
    // Acquire and release: pairs with the others, as in commit().
    if (word_.compare_exchange_strong(found,
                                      (armed & ~low_mask) | word_of(arm, wait_state::synchronised),
                                      std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return attempt::committed;
    }
    return found == claimed_of(armed) ? attempt::claimed : attempt::ended;
  }

  /// Owner only: waiting -> claimed. Fails if the wait has ended.
  [[nodiscard]] bool claim(armed_word armed) noexcept {
    // Acquire: pairs with the release of the commit that is found instead.
    return word_.compare_exchange_strong(armed, claimed_of(armed), std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }
  /// Owner only: claimed -> waiting.
  void unclaim(armed_word armed) noexcept {
    // Release: pairs with the acquire of the next commit.
    word_.store(armed, std::memory_order_release);
  }
  /// Owner only: claimed -> synchronised, by itself. No wake() follows, and no wait().
  void settle(armed_word armed, std::uint16_t arm) noexcept {
    // Release: pairs with the acquire of a commit that fails.
    word_.store((armed & ~low_mask) | word_of(arm, wait_state::synchronised),
                std::memory_order_release);
  }
  /// Owner only, after settle(): as it was before arm().
  void disarm_settled() noexcept { (void)disarm(); }
  // Hints, so relaxed: what is done next is a compare-exchange, which pairs with the others.
  [[nodiscard]] bool is_claimed(armed_word armed) const noexcept {
    return word_.load(std::memory_order_relaxed) == claimed_of(armed);
  }
  [[nodiscard]] bool is_waiting(armed_word armed) const noexcept {
    return word_.load(std::memory_order_relaxed) == armed;
  }

  /// Instead of a registration with the token: the executor, which knows when that fires, ends the
  /// wait by cancel(). Owner only, before wait().
  void let_executor_cancel() noexcept { link_.cancellable = true; }
  /// The executor only, on the owner's thread while it is parked: cancels the wait of `link` unless
  /// it has ended. If it returns true, the owner must be resumed.
  [[nodiscard]] static bool cancel(basic_ready_link<Atomics>& link) noexcept {
    auto& self = *reinterpret_cast<basic_waiter*>(reinterpret_cast<std::byte*>(&link) -
                                                  offsetof(basic_waiter, link_));
    // Relaxed: the owner armed it, on this thread.
    const armed_word armed = self.word_.load(std::memory_order_relaxed);
    const bool waits = (armed & state_mask) == static_cast<armed_word>(wait_state::waiting);
    return waits && self.commit(armed, arm_cancelled);
  }
  /// As commit(), by the executor's thread, where the one object cannot be used by another.
  [[nodiscard]] bool commit_here(armed_word armed, std::uint16_t arm) noexcept {
    BAST_ASSERT(link_.is_plain);
    // Relaxed: all on this thread.
    if (word_.load(std::memory_order_relaxed) != armed) return false;
    word_.store((armed & ~low_mask) | word_of(arm, wait_state::synchronised),
                std::memory_order_relaxed);
    return true;
  }
  /// The wait is one for a single object, with no registration elsewhere. Owner only, after arm().
  void wait_for_one_only() noexcept { link_.cancellable = link_.is_plain = true; }
  /// Null: an OS thread.
  [[nodiscard]] Executor* home() const noexcept { return home_; }

  /// Resumes the owner. The committer's last access (I3); what the committer did before happens
  /// before the owner continues.
  [[gnu::noinline]] void wake() noexcept {
    if (process_.is_forked()) return;  // I5
    if (home_ != nullptr) return home_->wake(link_);
    const auto* const bell = &done_;
    // Release: pairs with the acquire in wait_for_bell. The waiter may be gone after it.
    done_.store(1, std::memory_order_release);
    Atomics::wake_all(bell);
  }

  /// Owner only: waits for a commit and returns its arm. Blocks an OS thread. Suspends a coroutine,
  /// and throws forced_unwind if that is released first: then withdraw() must follow.
  [[nodiscard, gnu::noinline]] std::uint16_t wait() {
    if (home_ != nullptr) {
      home_->park(link_);
    } else {
      wait_for_bell();
    }
    return disarm();
  }

  /// Owner only, an OS thread: as wait(), and at `deadline_ns` commits `arm` itself unless another
  /// has committed before; then it waits for that one's wake.
  [[nodiscard, gnu::noinline]] std::uint16_t wait_until(armed_word armed, std::uint16_t arm,
                                                        std::int64_t deadline_ns) noexcept {
    // Acquire: pairs with the release in wake().
    while (done_.load(std::memory_order_acquire) == 0) {
      if (!Atomics::wait_until(done_, 0, deadline_ns)) continue;
      if (commit(armed, arm)) break;
      wait_for_bell();  // I3
    }
    return disarm();
  }
  bool is_thread() const noexcept { return home_ == nullptr; }

  // In place of wait(), for a coroutine that its executor runs plainly: its link, whom to run
  // instead, and what wait() returns once it was resumed.
  [[nodiscard]] basic_ready_link<Atomics>& link() noexcept { return link_; }
  [[nodiscard, gnu::noinline]] coro_block* depart() noexcept { return home_->depart(link_); }
  [[nodiscard]] std::uint16_t end_wait() noexcept { return disarm(); }

  /// Owner only: ends the wait, if it is armed. Afterwards no commit succeeds and no wake is
  /// pending. Returns the arm that was committed before, or arm_cancelled. May wait for a committer
  /// between its commit() and its wake().
  [[gnu::noinline]] std::uint16_t withdraw() noexcept {
    const armed_word armed = word_.load(std::memory_order_relaxed);
    if (armed == 0) return arm_cancelled;
    const bool waits = (armed & state_mask) == static_cast<armed_word>(wait_state::waiting);
    const bool committed = !waits || !commit(armed, arm_cancelled);
    if (process_.is_forked()) return disarm();  // I5
    if (home_ != nullptr) {
      home_->forget(link_, committed);
    } else if (committed) {
      wait_for_bell();
    }
    return disarm();
  }

 private:
  static constexpr int arm_shift = 2;
  static constexpr armed_word state_mask = 3;
  static constexpr int epoch_shift = 18;
  static constexpr armed_word low_mask = (armed_word{1} << epoch_shift) - 1;
  static constexpr armed_word claimed_of(armed_word armed) noexcept {
    return (armed & ~state_mask) | static_cast<armed_word>(wait_state::claimed);
  }
  static constexpr armed_word word_of(std::uint16_t arm, wait_state state) noexcept {
    return armed_word{arm} << arm_shift | static_cast<armed_word>(state);
  }

  /// Returns the arm. Relaxed: wake() published it.
  std::uint16_t disarm() noexcept {
    const auto arm = static_cast<std::uint16_t>(word_.load(std::memory_order_relaxed) >> arm_shift);
    word_.store(0, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    return arm;
  }
  void wait_for_bell() noexcept {
    // Acquire: pairs with the release in wake().
    while (done_.load(std::memory_order_acquire) == 0) Atomics::wait(done_, 0);
  }

  typename Atomics::template atomic<armed_word> word_{0};
  typename Atomics::template atomic<std::uint32_t> done_{0};  // OS threads: futex word
  Executor* home_ = nullptr;                                  // null: an OS thread
  typename Executor::process_mark process_;
  basic_ready_link<Atomics> link_;
};

/// The waiter of the calling coroutine or thread, for one wait at a time.
class waiter : public basic_waiter<os::real_atomics, executor> {
 public:
  /// Fails if the caller may not wait. `operation` names the caller in errors. Errors: bad_state
  /// (code that may not suspend, or that an event loop calls), not_in_fiber (a coroutine without an
  /// executor).
  [[nodiscard]] static result<void> check(static_string operation,
                                          const executor* home = executor_here()) noexcept;
  /// Requires that check() succeeded.
  explicit waiter(executor* home = executor_here()) noexcept
      : basic_waiter(home, this_thread.current) {
    if (home != nullptr) link().chosen = home->chosen();
  }
  /// The executor of the running coroutine: the scheduler that runs it, or the latest ready_queue
  /// of the thread. Null if there is none, or outside a coroutine.
  static executor* executor_here() noexcept;

  armed_word arm() noexcept { return basic_waiter::arm(new_epoch()); }
  /// As wait(), of a coroutine that its executor runs plainly and may cancel. The switch is inline:
  /// each return after it would be mispredicted (docs/context-switch.md).
  [[nodiscard, gnu::always_inline]] std::uint16_t wait_plainly() noexcept {
    wait_for_one_only();
    if (coro_block* const next = depart()) {
      switch_to(*next, running_here(next->tag));
    } else {
      park_for_resumer();
    }
    return end_wait();
  }

 private:
  static std::uint64_t new_epoch() noexcept { return ++this_thread.waits; }
};

}  // namespace bast::inline BAST_ABI::internal
