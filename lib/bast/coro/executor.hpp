// SPDX-License-Identifier: Apache-2.0
//
// `executor`: suspends and resumes the coroutines of one thread, a ready_queue or a scheduler. A
// wait (waiter.hpp) ends through it.
//
//                      owner, on the executor's thread        committer, on any thread
//   any executor       park(link): suspends                   wake(link): to be resumed there
//   one that switches  depart(link): whom to run instead      the same
//   directly           (the caller switches, inline)
//   withdrawn wait     forget(link)
#pragma once

#include "bast/coro/thread.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

/// A waiting coroutine in the queue of the loop that resumes it.
template <class Atomics>
struct basic_ready_link {
  coro_block* coroutine = nullptr;
  coro_block* chosen = nullptr;  // `coroutine`, or the one of a scheduler in whose nest it is
  bool cancellable = false;      // its scheduler may cancel it; set by the owner before wait()
  bool is_plain = false;         // only that and one object end the wait; as above
  // From here on owned by the executor.
  bool parked = false;
  bool linked = false;
  basic_ready_link* previous = nullptr;
  typename Atomics::template plain<basic_ready_link*> next = nullptr;  // the waker's until pushed
};

using ready_link = basic_ready_link<os::real_atomics>;

/// Suspends and resumes the coroutines of one thread: a ready_queue or a scheduler.
class executor {
 public:
  using process_mark = os::fork_mark;
  executor(const executor&) = delete;
  executor& operator=(const executor&) = delete;

  /// Schedules `who` to be resumed on the executor's thread, never within this call. Called once
  /// per wait, before or after `who` has parked, from any thread. Does not suspend, fail or
  /// allocate.
  virtual void wake(ready_link& who) noexcept = 0;
  /// Suspends the running coroutine, which is that of `who`, until it is resumed. Throws
  /// forced_unwind if the coroutine is released first.
  virtual void park(ready_link& who) = 0;
  /// Cancels the resumption of `who`. `woken`: wake() was called for it or is about to be; waits
  /// for that call and removes `who` from the queue.
  virtual void forget(ready_link& who, bool woken) noexcept = 0;
  /// The running coroutine has not waited for long, though it could have: lets others run (IO-7).
  virtual void relent() {}
  /// In place of park(), for one that has a plain coroutine: returns the one that runs instead, or
  /// null for the thread. The caller switches there (switch_to.hpp), and has nothing to do for the
  /// executor when it is continued.
  virtual coro_block* depart(ready_link& /*who*/) noexcept { return nullptr; }
  /// What governs the coroutine that it runs, and with it those that this one has resumed, if they
  /// have no binding of their own (cancel/binding.hpp).
  virtual const coro_attachment* governing() const noexcept { return nullptr; }
  /// False if the thread itself is at work, and what it resumes could not suspend: nothing would
  /// run instead.
  virtual bool runs_one() const noexcept { return true; }
  /// True in a child that was forked after it was made: its thread is not there (IO-15).
  bool is_forked() const noexcept { return process_.is_forked(); }
  /// The process that it was made in.
  os::fork_mark process() const noexcept { return process_; }

  /// The coroutine that this executor runs, in whose nest the current one is.
  coro_block* chosen() const noexcept { return chosen_; }

 protected:
  executor() = default;
  ~executor() = default;

  coro_block* chosen_ = nullptr;  // of one that switches directly; else null

 private:
  os::fork_mark process_ = os::fork_mark::here();
};

}  // namespace bast::inline BAST_ABI::internal
