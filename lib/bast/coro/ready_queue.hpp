// SPDX-License-Identifier: Apache-2.0
//
// `ready_queue`: the coroutines of one thread whose wait has ended. A waker, on any thread, pushes
// the coroutine here and continues its own work; the loop of the coroutine's thread resumes it.
//
//   bast::ready_queue ready({.wake = wake_my_loop, .context = &loop});   // write(2) to an eventfd
//   for (;;) {
//     wait_for_events();
//     ready.run();
//   }
//
// epoll_adapter and uring_adapter each contain one and run it in their turns.
#pragma once

#include "bast/coro/abandonable.hpp"
#include "bast/coro/waiter.hpp"
#include "bast/lockfree.hpp"

namespace bast::inline BAST_ABI {

/// Wakes a loop. Called on the thread of the waker, possibly several times before the loop runs
/// again. The function must not suspend, must not call the loop, and must not take a lock that the
/// loop's thread holds while it runs the queue or releases or destroys a waiting coroutine: those
/// operations may wait for the hook to return.
struct wake_hook {
  void (*wake)(void* context) noexcept = nullptr;
  void* context = nullptr;
};

namespace internal {

/// An inbox for any thread, and the owner's list of what arrived, oldest first.
template <class Atomics>
class basic_ready_list {
 public:
  using link = basic_ready_link<Atomics>;

  /// Any thread. Returns true if the inbox was empty: the owner may have to be woken. The pusher's
  /// last access to `who`.
  [[nodiscard]] bool push(link& who) noexcept { return inbox_.push(who); }
  bool inbox_empty() const noexcept { return inbox_.empty(); }

  // Owner only.

  /// Moves the contents of the inbox to the list.
  void collect() noexcept {
    link* oldest = inbox_.take_oldest_first();
    while (oldest != nullptr) {
      link* const next = oldest->next;
      list_.append(*oldest);
      oldest = next;
    }
  }
  std::size_t size() const noexcept { return list_.size(); }
  /// Removes and returns the oldest entry, or returns null.
  link* pop() noexcept { return list_.pop(); }
  void append(link& who) noexcept { list_.append(who); }
  /// Removes `who`. Waits for its push if that is still pending.
  void remove(link& who) noexcept {
    for (unsigned round = 0;; Atomics::relax(round++)) {
      collect();
      if (who.linked) return list_.remove(who);
    }
  }

 private:
  basic_inbox<link, Atomics> inbox_;
  linked_list<link> list_;
};

}  // namespace internal

/// Belongs to the thread that constructs it. Of several queues of one thread, coroutines use the
/// latest. Neither copyable nor movable. Allocates nothing. On an abandoned stack it ends as in its
/// destructor (F-12). In a forked child it stays empty (IO-15).
class ready_queue final : private internal::executor, private internal::abandonable {
 public:
  /// `hook` is called when a coroutine becomes ready and the loop may be asleep. The loop must
  /// reset what the hook sets before it calls run(), not after.
  explicit ready_queue(wake_hook hook = {}) noexcept;
  ready_queue(const ready_queue&) = delete;
  ready_queue& operator=(const ready_queue&) = delete;
  /// Requires that no coroutine waits with this queue and that none resumed by it is running
  /// (checked), except in a forked child. Waits for hooks that are running on other threads. Must
  /// be called on its own thread, or after that thread has ended (checked).
  ~ready_queue();

  /// Resumes each coroutine that was ready at the call, oldest first, until it waits again, yields
  /// or ends; returns their number. Coroutines that become ready during the call are left for the
  /// next one, so that the loop is not starved. Only on its own thread (checked).
  std::size_t run() noexcept;
  /// Returns true if a coroutine is ready. Only on its own thread.
  bool has_ready() const noexcept;
  /// The number of coroutines that wait with this queue. Only on its own thread.
  std::size_t waiting() const noexcept { return waiting_; }
  /// Returns true while a coroutine that run() resumed is running.
  bool is_running() const noexcept { return running_; }

 private:
  friend class internal::waiter;
  friend class process_driver;
  struct thread_lease;

  /// While one exists, the loop is awake and calls run() before it sleeps: the hook is not called
  /// for coroutines that become ready on its own thread.
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

  /// The latest queue of this thread, or null; and the latest that is not of a parent process.
  static ready_queue* latest() noexcept;
  static ready_queue* of_this_thread() noexcept;
  bool is_of_this_thread() const noexcept;
  void tell() noexcept;
  static void abandoned(internal::abandonable& self) noexcept;
  void end() noexcept;
  /// On its own thread, or once that has ended. Acquire: pairs with the release in thread_lease.
  bool may_be_used_here() const noexcept {
    return is_of_this_thread() || thread_ended_.load(std::memory_order_acquire);
  }
  void wake(internal::ready_link& who) noexcept override;
  void park(internal::ready_link& who) override;
  void forget(internal::ready_link& who, bool woken) noexcept override;

  wake_hook hook_;
  const void* thread_;       // identifies the owner
  ready_queue* outer_;       // the previous queue of the thread
  std::size_t waiting_ = 0;  // parked and not yet resumed
  bool running_ = false;
  bool attended_ = false;
  std::atomic<bool> thread_ended_{false};
  std::atomic<std::uint32_t> wakers_{0};  // other threads inside wake()
  internal::basic_ready_list<os::real_atomics> ready_;
};

}  // namespace bast::inline BAST_ABI
