// SPDX-License-Identifier: Apache-2.0
//
// `waiter`: somebody waits, a coroutine or an OS thread. Whatever can be waited for is built on it,
// so that a wait ends once, for one reason, and nobody's code runs inside the waker.
//
//   63        18 17      2 1     0
//   [ epoch     | arm     | state ]
//
//   the owner                             a committer, on any thread
//   arm(): idle -> waiting
//   links a node with the armed word
//   wait()                                takes the object's lock, finds the node
//                                         commit(armed, arm): waiting -> synchronised
//                                         unlinks the node, unlocks the object
//                                         wake(): through the executor of the coroutine, or a futex
//   wait() returns the arm
//
//   I1  Of all commits for one armed word one succeeds. Whoever lost has done nothing.
//   I2  A waiter is reached through a node that is linked in an object, under that object's lock,
//       or through a registration whose end waits for it. So a waiter that has taken back its nodes
//       and registrations, and has no wake coming, is nobody's but its owner's.
//   I3  A commit is followed by one wake(), which is the committer's last access. The owner neither
//       goes on nor ends before it.
//   I4  Armed words never repeat at one address while anybody has the old one: epochs are counted
//       by the owner's thread, which a coroutine never leaves.
//   I5  In a child that was forked meanwhile neither the executor nor a waker is there: nobody is
//       continued, and nobody is waited for (IO-15).
//
// For the layers above. Source: runtime.md R3.
#pragma once

#include <atomic>
#include <cstdint>

#include "bast/coro/block.hpp"
#include "bast/os.hpp"

namespace bast::internal {

/// A coroutine that waits, on its way back to the loop that continues it.
template <class Atomics>
struct basic_ready_link {
  coro_block* coroutine = nullptr;
  bool parked = false;  // the executor's, all from here
  bool queued = false;
  basic_ready_link* previous = nullptr;
  typename Atomics::template plain<basic_ready_link*> next = nullptr;  // the waker's before
};

using ready_link = basic_ready_link<os::real_atomics>;

/// Who suspends and continues coroutines of one thread: a ready_queue, or a scheduler.
class executor {
 public:
  using process_mark = os::fork_mark;
  executor(const executor&) = delete;
  executor& operator=(const executor&) = delete;

  /// Sees to it that `who` is continued, on the executor's thread and never within this call. Once,
  /// before or after it has parked. Any thread. Not suspending, not failing, allocating nothing.
  virtual void wake(ready_link& who) noexcept = 0;
  /// Suspends what runs here, which is the coroutine of `who`, until it is continued. Throws
  /// forced_unwind when it is released meanwhile.
  virtual void park(ready_link& who) = 0;
  /// `who` is not to be continued by a wake. `woken`: one has come or is under way, and is
  /// consumed.
  virtual void forget(ready_link& who, bool woken) noexcept = 0;

 protected:
  executor() = default;
  ~executor() = default;
};

enum class wait_state : std::uint8_t {
  idle,
  waiting,
  claimed,  // for a choice that commits two waiters at once
  synchronised,
};

/// What a wait of one thing ends with: the thing, or else cancelled. A choice has one for each of
/// its arms.
inline constexpr std::uint16_t arm_first = 0;
inline constexpr std::uint16_t arm_cancelled = 0xffff;

template <class Atomics, class Executor>
class basic_waiter {
 public:
  using armed_word = std::uint64_t;

  /// A coroutine, which `home` continues; an OS thread, where that is null.
  basic_waiter(Executor* home, coro_block* coroutine) noexcept
      : home_(home), link_{.coroutine = coroutine} {}
  basic_waiter(const basic_waiter&) = delete;
  basic_waiter& operator=(const basic_waiter&) = delete;
  ~basic_waiter() = default;  // The owner has waited or withdrawn.

  /// The owner, before the first node is linked: from here on it can be committed, before it waits
  /// too. `epoch` is new at this address (I4). Relaxed: the object's lock publishes it.
  armed_word arm(std::uint64_t epoch) noexcept {
    const armed_word armed = epoch << epoch_shift | word_of(arm_first, wait_state::waiting);
    word_.store(armed, std::memory_order_relaxed);
    return armed;
  }

  /// Ends the wait with `arm`, if nobody has: then wake() must follow. Any thread that I2 lets.
  [[nodiscard]] bool commit(armed_word armed, std::uint16_t arm) noexcept {
    // Acquire and release: pairs with that of another commit, which then failed, and in withdraw().
    return word_.compare_exchange_strong(
        armed, (armed & ~low_mask) | word_of(arm, wait_state::synchronised),
        std::memory_order_acq_rel, std::memory_order_relaxed);
  }
  /// Continues the owner: the last access (I3). Releases what the committer did before it.
  void wake() noexcept {
    if (process_.is_forked()) return;  // I5
    if (home_ != nullptr) return home_->wake(link_);
    const auto* const bell = &done_;
    // Release: pairs with the acquire in wait_for_bell. The waiter may be gone after it.
    done_.store(1, std::memory_order_release);
    Atomics::wake_all(bell);
  }

  /// The owner: until somebody has committed. Returns the arm. Suspends a coroutine, and throws
  /// forced_unwind when it is released meanwhile: then withdraw() must follow. Blocks a thread.
  [[nodiscard]] std::uint16_t wait() {
    if (home_ != nullptr) {
      home_->park(link_);
    } else {
      wait_for_bell();
    }
    return disarm();
  }

  /// The owner gives up, if it is armed. Afterwards no commit succeeds and no wake comes, so nodes
  /// and registrations that are left lead nowhere. Returns the arm of the commit that it takes
  /// back; arm_cancelled where there was none. May wait for a committer that is on its way from
  /// commit() to wake().
  std::uint16_t withdraw() noexcept {
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
  static constexpr armed_word word_of(std::uint16_t arm, wait_state state) noexcept {
    return armed_word{arm} << arm_shift | static_cast<armed_word>(state);
  }

  /// Returns the arm. Relaxed: a wake released what it says.
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
  typename Atomics::template atomic<std::uint32_t> done_{0};  // a thread's: woken
  Executor* home_ = nullptr;                                  // null: a thread
  typename Executor::process_mark process_ = Executor::process_mark::here();
  basic_ready_link<Atomics> link_;
};

/// Whatever runs here, for one wait at a time.
class waiter : public basic_waiter<os::real_atomics, executor> {
 public:
  /// Whether what runs here may wait: a thread, or a coroutine that `home` would continue.
  /// `operation` names the caller. Errors: bad_state (code that may not suspend), not_in_fiber
  /// (nobody would continue it).
  [[nodiscard]] static result<void> check(const char* operation,
                                          const executor* home = executor_here()) noexcept;
  /// Requires check().
  explicit waiter(executor* home = executor_here()) noexcept;
  /// Who continues the coroutine that runs here: the scheduler that runs it, or the latest
  /// ready_queue of the thread. Null: nobody, or no coroutine runs.
  static executor* executor_here() noexcept;

  armed_word arm() noexcept { return basic_waiter::arm(new_epoch()); }

 private:
  static std::uint64_t new_epoch() noexcept;
};

}  // namespace bast::internal
