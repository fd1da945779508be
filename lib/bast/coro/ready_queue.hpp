// SPDX-License-Identifier: Apache-2.0
//
// `ready_queue`: coroutines of a thread that waited, and can go on. Whoever ends a wait, on any
// thread, puts the coroutine here and goes on itself; the thread's loop continues it.
//
//   bast::ready_queue ready({.wake = wake_my_loop, .context = &loop});   // write(2) to an eventfd
//   for (;;) {
//     wait_for_events();
//     ready.run();
//   }
//
// An epoll_adapter or a uring_adapter has one, and runs it in its turns.
#pragma once

#include <optional>

#include "bast/coro/abandonable.hpp"
#include "bast/coro/inbox.hpp"
#include "bast/coro/waiter.hpp"

namespace bast {

/// How a loop is told that it has something to do: called on whichever thread found that out, once
/// or more before the loop looks again. noexcept; must not suspend, must not call the loop, and
/// must not take a lock that the loop's thread holds while it runs, releases or destroys what
/// waits: those may wait until the hook has returned.
struct wake_hook {
  void (*wake)(void* context) noexcept = nullptr;
  void* context = nullptr;
};

namespace internal {

/// An inbox that any thread pushes to, and the owner's list of what came, oldest first.
template <class Atomics>
class basic_ready_list {
 public:
  using link = basic_ready_link<Atomics>;

  /// Any thread. True when the inbox was empty: whoever empties it may have to be told. The last
  /// access to `who`.
  [[nodiscard]] bool push(link& who) noexcept { return inbox_.push(who); }
  bool inbox_empty() const noexcept { return inbox_.empty(); }

  // The owner.

  /// Moves what has come to the list.
  void collect() noexcept {
    link* newest = inbox_.take();
    link* oldest = nullptr;
    while (newest != nullptr) {
      link* const before = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = before;
    }
    while (oldest != nullptr) {
      link* const next = oldest->next;
      append(*oldest);
      oldest = next;
    }
  }
  std::size_t size() const noexcept { return size_; }
  /// The oldest, or null.
  link* pop() noexcept {
    link* const first = first_;
    if (first != nullptr) unlink(*first);
    return first;
  }
  void append(link& who) noexcept {
    who.next = nullptr;
    who.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &who;
    last_ = &who;
    who.queued = true;
    ++size_;
  }
  /// Takes out `who`, which was pushed or is about to be: waits for that, unless nobody will.
  void remove(link& who) noexcept {
    for (unsigned round = 0;; Atomics::relax(round++)) {
      collect();
      if (who.queued) return unlink(who);
    }
  }

 private:
  void unlink(link& who) noexcept {
    link* const next = who.next;
    (who.previous != nullptr ? who.previous->next : first_) = next;
    (next != nullptr ? next->previous : last_) = who.previous;
    who.queued = false;
    --size_;
  }

  basic_inbox<Atomics, link> inbox_;
  typename Atomics::template plain<link*> first_ = nullptr;
  link* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace internal

/// Made on the thread whose coroutines it continues, and that thread's until it ends; the latest of
/// several is the one that counts for what waits by itself. Neither copied nor moved. Allocates
/// nothing. On a stack that is abandoned it ends as in its destructor (F-12). In a forked child it
/// is empty and stays so (IO-15).
class ready_queue final : private internal::executor, private internal::abandonable {
 public:
  /// `hook` is called when something can go on and the loop may be asleep. A loop clears whatever
  /// the hook sets before it calls run(), not after.
  explicit ready_queue(wake_hook hook = {}) noexcept;
  ready_queue(const ready_queue&) = delete;
  ready_queue& operator=(const ready_queue&) = delete;
  /// No coroutine may wait any more that it would continue, and none that it continues may run
  /// (checked), except in a forked child. Waits until no other thread is within the hook. On its
  /// own thread, or once that has ended (checked).
  ~ready_queue();

  /// Continues each coroutine that was ready when it was called, oldest first, until it waits
  /// again, yields or ends; returns how many. What becomes ready meanwhile is for the next time,
  /// so that the loop gets its turn. Only its own thread (checked).
  std::size_t run() noexcept;
  /// Whether run() would find something. Its own thread.
  bool has_ready() const noexcept;
  /// Coroutines that wait and that this queue will continue. Its own thread.
  std::size_t waiting() const noexcept { return waiting_; }
  /// A coroutine that run() continues is running.
  bool is_running() const noexcept { return running_; }

 private:
  friend class internal::waiter;
  friend class process_driver;
  struct thread_lease;

  /// While it lives the loop is awake and will call run() before it sleeps: the hook is not called
  /// for what its own thread makes ready.
  class attended {
   public:
    explicit attended(ready_queue& queue) noexcept : queue_(queue), before_(queue.attended_) {
      queue.attended_ = true;
    }
    ~attended() { queue_.attended_ = before_; }
    attended(const attended&) = delete;
    attended& operator=(const attended&) = delete;

   private:
    ready_queue& queue_;
    bool before_;
  };

  /// The latest one of this thread that this process made; null when there is none.
  static ready_queue* of_this_thread() noexcept;
  bool is_of_this_thread() const noexcept;
  void tell() noexcept;
  static void abandoned(internal::abandonable& self) noexcept;
  void end() noexcept;
  bool thread_has_ended() const noexcept {
    // Acquire: pairs with the release in thread_lease.
    return thread_ended_.load(std::memory_order_acquire);
  }
  void wake(internal::ready_link& who) noexcept override;
  void park(internal::ready_link& who) override;
  void forget(internal::ready_link& who, bool woken) noexcept override;

  wake_hook hook_;
  os::fork_mark process_ = os::fork_mark::here();
  const void* thread_;       // whose it is
  ready_queue* outer_;       // this thread's until this one ends
  std::size_t waiting_ = 0;  // parked, or committed and not continued
  bool running_ = false;
  bool attended_ = false;
  std::atomic<bool> thread_ended_{false};
  std::atomic<std::uint32_t> wakers_{0};  // threads within wake()
  internal::basic_ready_list<os::real_atomics> ready_;
};

}  // namespace bast
