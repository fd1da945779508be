// SPDX-License-Identifier: Apache-2.0
//
// `inbox`: what any thread pushes and one thread takes, all of it at a time. Lock-free: a push is
// one compare-exchange, of a whole chain if there is one, and a take one exchange, so that neither
// waits for the other and no node is looked at by two.
//
//   I1  A node is the pusher's until push() and the owner's from take() on. Nobody looks at it in
//       between, so that a node may come back to an inbox that it was in (no ABA: who takes, takes
//       all).
//
// `remote_free`: blocks that one worker frees for another, on their way back to their owner in
// batches. A block that another processor wrote is dear to take; a word that all processors write
// for each block would be dearer.
//
// For the layers above; a template over its atomics, for the interleaving checker.
#pragma once

#include <atomic>
#include <cstddef>

namespace bast::internal {

/// `Link` has a member `next`, an Atomics::plain<Link*>.
template <class Atomics, class Link>
class basic_inbox {
 public:
  basic_inbox() = default;
  basic_inbox(const basic_inbox&) = delete;
  basic_inbox& operator=(const basic_inbox&) = delete;
  ~basic_inbox() = default;

  /// Any thread: what is linked from `first` to `last`, which may be the same. True when there was
  /// nothing: whoever takes may have to be told. The last access to them.
  bool push(Link& first, Link& last) noexcept {
    Link* newest = inbox_.load(std::memory_order_relaxed);
    // Release: pairs with the acquire in take().
    do last.next = newest;
    while (!inbox_.compare_exchange_weak(newest, &first, std::memory_order_release,
                                         std::memory_order_relaxed));
    return newest == nullptr;
  }
  bool push(Link& one) noexcept { return push(one, one); }

  /// The owner: all that came, the newest push first, or null.
  [[nodiscard]] Link* take() noexcept {
    // Acquire: pairs with the release in push().
    return inbox_.exchange(nullptr, std::memory_order_acquire);
  }
  /// Relaxed: for whoever is told otherwise when it changes.
  [[nodiscard]] bool empty() const noexcept {
    return inbox_.load(std::memory_order_relaxed) == nullptr;
  }

 private:
  typename Atomics::template atomic<Link*> inbox_{nullptr};
};

/// One worker's: what it frees for others. Its own thread only.
template <class Atomics, class Link>
class basic_remote_free {
 public:
  using inbox = basic_inbox<Atomics, Link>;

  basic_remote_free() = default;
  basic_remote_free(const basic_remote_free&) = delete;
  basic_remote_free& operator=(const basic_remote_free&) = delete;
  /// Keeps nothing back.
  ~basic_remote_free() { flush(); }

  /// `freed` belongs to the owner of `home`, which outlives it; nobody uses it any more. It arrives
  /// there with others of the same owner, when there are `batch_max`, when one for another owner
  /// comes, or at the next flush.
  void free(inbox& home, Link& freed) noexcept {
    if (home_ != &home || size_ == batch_max) flush();
    freed.next = first_;
    if (first_ == nullptr) last_ = &freed;
    first_ = &freed;
    home_ = &home;
    ++size_;
  }
  /// Before the worker sleeps, so that nothing waits for it.
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

}  // namespace bast::internal
