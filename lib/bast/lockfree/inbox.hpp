// SPDX-License-Identifier: Apache-2.0
//
// `inbox`: an intrusive list that any thread pushes to and one takes from, as a rule. A push of one
// node or of a chain is one compare-exchange; the consumer takes everything with one exchange. So
// others may take in its place: each node goes to one of them.
//
//   struct job { job* next = nullptr; ... };
//   bast::inbox<job> in;
//   if (in.push(mine)) wake_the_consumer();      // any thread: it was empty
//   for (job* j = in.take(); j != nullptr; ...)  // the consumer: the latest first
//
//   I1  A node belongs to the pusher until push() and to the consumer from take() on, and is not
//       accessed in between. So a node may be pushed again (no ABA: a consumer takes the whole
//       list).
//
// `remote_free`: returns blocks that one thread frees to the thread that owns them, in batches, so
// that the shared word is written once per batch.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cstddef>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

/// `Link` has a member `next`, a Link* (with other atomics an Atomics::plain<Link*>). The inbox
/// does not own its nodes; what is in it when it ends is forgotten.
template <class Link, class Atomics = os::real_atomics>
class basic_inbox {
 public:
  basic_inbox() = default;
  basic_inbox(const basic_inbox&) = delete;
  basic_inbox& operator=(const basic_inbox&) = delete;
  ~basic_inbox() = default;

  /// Any thread: pushes the chain from `first` to `last`, which may be one node. Returns true if
  /// the inbox was empty: the consumer may have to be woken. The pusher's last access to the nodes.
  bool push(Link& first, Link& last) noexcept {
    Link* newest = inbox_.load(std::memory_order_relaxed);
    // Release: pairs with the acquire in take().
    do last.next = newest;
    while (!inbox_.compare_exchange_weak(newest, &first, std::memory_order_release,
                                         std::memory_order_relaxed));
    return newest == nullptr;
  }
  bool push(Link& one) noexcept { return push(one, one); }

  /// The consumer, or one in its place: takes all nodes, the latest push first, or null.
  [[nodiscard]] Link* take() noexcept {
    // Acquire: pairs with the release in push().
    return inbox_.exchange(nullptr, std::memory_order_acquire);
  }
  /// The same, the earliest push first.
  [[nodiscard]] Link* take_oldest_first() noexcept {
    Link* newest = take();
    Link* oldest = nullptr;
    while (newest != nullptr) {
      Link* const before = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = before;
    }
    return oldest;
  }
  /// A hint: relaxed, and may be stale on any thread.
  [[nodiscard]] bool empty() const noexcept {
    return inbox_.load(std::memory_order_relaxed) == nullptr;
  }

 private:
  typename Atomics::template atomic<Link*> inbox_{nullptr};
};

/// The blocks that one thread has freed for others. Only for that thread.
template <class Link, class Atomics = os::real_atomics>
class basic_remote_free {
 public:
  using inbox = basic_inbox<Link, Atomics>;

  basic_remote_free() = default;
  basic_remote_free(const basic_remote_free&) = delete;
  basic_remote_free& operator=(const basic_remote_free&) = delete;
  /// Flushes.
  ~basic_remote_free() { flush(); }

  /// Returns `freed`, which is no longer in use, to the consumer of `home`, which must outlive
  /// this. Pushed with other blocks of the same owner: after `batch_max` of them, before a block of
  /// another owner, or at the next flush().
  void free(inbox& home, Link& freed) noexcept {
    if (home_ != &home || size_ == batch_max) flush();
    freed.next = first_;
    if (first_ == nullptr) last_ = &freed;
    first_ = &freed;
    home_ = &home;
    ++size_;
  }
  /// Pushes what is pending. Called before the thread sleeps.
  void flush() noexcept {
    if (first_ == nullptr) return;
    home_->push(*first_, *last_);
    first_ = last_ = nullptr;
    home_ = nullptr;
    size_ = 0;
  }

  static constexpr std::size_t batch_max = 64;

 private:
  inbox* home_ = nullptr;
  Link* first_ = nullptr;
  Link* last_ = nullptr;
  std::size_t size_ = 0;
};

template <class Link>
using inbox = basic_inbox<Link>;
template <class Link>
using remote_free = basic_remote_free<Link>;

}  // namespace bast::inline BAST_ABI
