// SPDX-License-Identifier: Apache-2.0
//
// `wait_queue` and `retry_on`: an op for an object that can be tried. The object holds its state
// and a queue; who changes the state wakes the queue, and who is woken tries again.
//
//   class latch {
//    public:
//     void open() { queue_.wake_all([this]() noexcept { is_open_ = true; }); }
//     auto opened() {
//       return bast::retry_on(queue_, [this]() noexcept { return is_open_; });
//     }
//    private:
//     bast::wait_queue queue_;
//     bool is_open_ = false;
//   };
//
// A leaf of one's own (branch.hpp) passes a value from one perform to another, in order. This one
// has no order among those that take, and is ten lines.
//
//   W1  A try runs under the queue's lock, and only while its perform has no linked node: so it
//       claims nothing, and whatever it takes is the perform's (O-11).
//   W2  A leaf is linked only if the queue was not woken since its last try failed. So a change
//       that is followed by a wake is never missed.
//   W3  A wake_one() that its waiter has not used wakes the next one: when the perform ends
//       otherwise, also on an abandoned stack (Y-4). One that tried in vain has used it: another
//       has taken what was there.
//   W4  The unlock is the last access to the queue of who takes, and of who wakes (Y-14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "bast/op/ops.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

template <class Traits>
class basic_wait_queue {
 public:
  basic_wait_queue() = default;
  basic_wait_queue(const basic_wait_queue&) = delete;
  basic_wait_queue& operator=(const basic_wait_queue&) = delete;
  ~basic_wait_queue() = default;  // Requires that no perform waits here.

  /// The one that has waited longest tries again; if it ends without that, the next one. Any
  /// thread. Does not suspend or allocate.
  void wake_one() noexcept {
    wake_one([]() noexcept {});
  }
  /// All try again.
  void wake_all() noexcept {
    wake_all([]() noexcept {});
  }
  /// The same after `change()`, which runs under the lock, like the tries. It is short, and neither
  /// throws nor takes another lock. Whatever sees the change may destroy the queue (W4).
  template <class F>
  void wake_one(F change) noexcept {
    wake(std::move(change), false);
  }
  template <class F>
  void wake_all(F change) noexcept {
    wake(std::move(change), true);
  }
  /// `f()` under the lock, where nobody waits for the change. As `change` above.
  template <class F>
  auto locked(F f) noexcept {
    const hold held(lock_);
    return f();
  }
  /// Performs that are linked here.
  std::size_t waiting() const noexcept {
    const hold held(lock_);
    return waiting_.size();
  }

  class leaf : public basic_leaf<Traits> {
   public:
    using performer = basic_performer<Traits>;
    explicit leaf(basic_wait_queue& queue) noexcept : queue_(queue) {}

    bool looks_ready() const noexcept final { return true; }
    progress attempt(performer& who) final {
      const hold held(queue_.lock_);
      is_woken_ = false;
      if (!take()) {
        seen_ = queue_.wakes_;
        return progress::none;
      }
      const bool mine = who.commit_self(*this);
      BAST_ASSERT(mine);  // W1
      return progress::committed;
    }
    progress enlist(performer& who) final {
      if (!who.number(*this)) return progress::failed;
      const hold held(queue_.lock_);
      if (seen_ != queue_.wakes_) return progress::again;  // W2
      who.link(*this, queue_.waiting_);
      return progress::none;
    }
    void delist() noexcept final { this->unlink(queue_.lock_, queue_.waiting_); }
    void pass_on() noexcept final {
      if (std::exchange(is_woken_, false)) queue_.wake_one();
    }
    /// By the queue, between the commit and the wake (W3).
    void note_wake() noexcept { is_woken_ = true; }

   protected:
    ~leaf() = default;

   private:
    /// Takes what is there. Under the lock (W1).
    virtual bool take() noexcept = 0;

    basic_wait_queue& queue_;
    std::uint64_t seen_ = 0;
    bool is_woken_ = false;  // by wake_one, which it has not used
  };

 private:
  using wait_node = typename basic_leaf<Traits>::wait_node;

  class hold {
   public:
    explicit hold(lock_of<Traits>& lock) noexcept : lock_(lock) { lock_.lock(); }
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;
    ~hold() { lock_.unlock(); }

   private:
    lock_of<Traits>& lock_;
  };

  template <class F>
  void wake(F change, bool all) noexcept {
    wait_node_of<Traits>* woken = nullptr;
    {
      const hold held(lock_);
      change();
      ++wakes_;
      while (waiting_.front() != nullptr && (all || woken == nullptr)) {
        auto* const n = static_cast<wait_node*>(waiting_.front());
        const pairing got = commit_alone(*n->who, n->armed, arm_retry);
        // If it is not committed, its owner may go on at once (P1).
        waiting_.remove(*n);
        if (got != pairing::committed) continue;
        if (!all) static_cast<leaf*>(n->of)->note_wake();
        n->next = woken;  // Ours until its wake.
        woken = n;
      }
    }
    wake_chain(woken);
  }

  mutable lock_of<Traits> lock_;
  wait_list_of<Traits> waiting_;
  std::uint64_t wakes_ = 0;
};

/// What a try returns: bool, std::optional<T>, or std::optional<result<T>>.
template <class Taken>
struct taken_by_try;
template <>
struct taken_by_try<bool> {
  using type = void;
};
template <class T>
struct taken_by_try<std::optional<T>> {
  using type = typename unwrapped<T>::type;
};

}  // namespace internal

/// Those that wait for an object of yours. Outlives every perform that waits for it, but may be
/// destroyed as soon as the last one has committed (Y-14). Thread-safe.
using wait_queue = internal::basic_wait_queue<internal::real_traits>;

template <class F, class Traits = internal::real_traits>
class retry_op {
  using queue = internal::basic_wait_queue<Traits>;
  using taken = std::invoke_result_t<F&>;

 public:
  using value_type = typename internal::taken_by_try<taken>::type;
  static_assert(std::is_nothrow_move_assignable_v<taken> &&
                    std::is_nothrow_move_constructible_v<taken>,
                "what a try takes is moved under a lock, and must not throw");
  retry_op(queue& at, F try_take) : at_(&at), try_take_(std::move(try_take)) {}

 private:
  class leaf final : public queue::leaf {
   public:
    leaf(queue& at, F try_take) : queue::leaf(at), try_take_(std::move(try_take)) {}
    taken got{};

   private:
    bool take() noexcept override {
      const internal::no_suspension forbidden;
      got = try_take_();
      if constexpr (std::is_void_v<value_type>) {
        return got;
      } else {
        return got.has_value();
      }
    }
    F try_take_;
  };

 public:
  template <class>
  class plan : public internal::leaf_plan<leaf> {
   public:
    explicit plan(retry_op op) : plan::leaf_plan(*op.at_, std::move(op.try_take_)) {}
    [[nodiscard]] result<value_type> take(const internal::basic_leaf<Traits>* /*chosen*/) {
      if constexpr (std::is_void_v<value_type>) {
        return {};
      } else {
        return *std::move(this->leaf_.got);
      }
    }

   private:
    friend retry_op;
  };

 private:
  queue* at_;
  F try_take_;
};

/// Commits when `try_take()` takes something: true, for an op of void, or an optional with a value
/// or a result. It is tried when the op is performed or polled, and after each wake of the queue;
/// under the queue's lock, so that the state needs no other one. It is short, does not throw,
/// suspend (bad_state) or take a lock, and takes nothing if it returns false or nullopt. Those that
/// are woken compete with those that come: nobody is first in line.
template <class Traits, class F>
retry_op<F, Traits> retry_on(internal::basic_wait_queue<Traits>& queue, F try_take) {
  return {queue, std::move(try_take)};
}

}  // namespace bast::inline BAST_ABI
