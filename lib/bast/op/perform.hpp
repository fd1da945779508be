// SPDX-License-Identifier: Apache-2.0
//
// `perform`: waits for one of the things that an op describes. `poll`: only looks.
//
//   bast::result<int> number = bast::perform(bast::choice(numbers.receive(), stop.happened()));
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "bast/cancel.hpp"
#include "bast/op/performer.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

using branch = basic_branch<real_traits>;
using leaf = basic_leaf<real_traits>;
using branch_list = basic_branch_list<real_traits>;
using performer = basic_performer<real_traits>;

/// The part of a perform that does not depend on what is waited for. On an abandoned stack it ends
/// as in its destructor, without user code.
class performance : private abandonable {
 public:
  explicit performance(branch_list& all) noexcept
      : abandonable(abandoned), all_(all), performer_(waiter_), stop_(*this) {
    mark();
  }
  performance(const performance&) = delete;
  performance& operator=(const performance&) = delete;
  ~performance() {
    unmark();
    finish();
  }

  /// The leaf that was committed, or why none was. Suspends a coroutine, blocks an OS thread.
  [[nodiscard]] result<const leaf*> perform();
  /// Phase 1 alone. Null: nothing was ready.
  [[nodiscard]] result<const leaf*> poll();
  bool has_waited() const noexcept { return has_waited_; }
  /// The branches that have lost are told; wraps may run.
  void finish() noexcept {
    if (std::exchange(finished_, true)) return;
    leave();
    performer_.pass_on(all_);
    performer_.end(all_);
  }

 private:
  struct cancellation : cancel_registration {
    explicit cancellation(performance& of) noexcept : cancel_registration(fired), performs(of) {}
    static void fired(real_record& record, const cancel_reason&) noexcept {
      registration_of<cancellation>(record).performs.performer_.cancel();
    }
    performance& performs;
  };
  static void abandoned(abandonable& self) noexcept {
    auto& mine = static_cast<performance&>(self);
    mine.leave();
    mine.performer_.pass_on(mine.all_);
  }
  /// May be called again.
  void leave() noexcept {
    if (std::exchange(is_registered_, false)) stop_.end();
    performer_.leave(all_);
  }
  progress attempt(bool again);
  /// One pass of the phases 1 to 3.
  progress pass(const coro_attachment* governed, bool again);

  branch_list& all_;
  waiter waiter_;
  performer performer_;
  cancellation stop_;
  bool is_registered_ = false;  // stop_
  bool has_waited_ = false;
  bool finished_ = false;
};

/// Opens the page below the caller's frame: peers and the kernel write there while its stack is
/// suspended, and could not.
[[gnu::noinline]] void touch_stack() noexcept;

/// What governs the running coroutine plainly, unless its token has fired; else null.
[[gnu::always_inline]] inline const coro_attachment* may_perform_plainly() noexcept {
  const executor* const home = this_thread.scheduler;
  if (home == nullptr) return nullptr;
  const coro_attachment* const governs = plainly_governing(*home);
  return governs == nullptr || governs->token.is_cancelled() || home->is_forked() ? nullptr
                                                                                  : governs;
}

/// As performance, for a leaf that is all that is waited for, where may_perform_plainly(): no
/// registration, no virtual call but one, and the switch is inline. It lies on no stack that can be
/// abandoned: only coroutines with a handle are.
template <class Leaf>
class lone_performance {
 public:
  lone_performance(const coro_attachment& governed, Leaf& only) noexcept
      : governed_(governed), all_{only}, waiter_(this_thread.scheduler), performer_(waiter_) {}
  lone_performance(const lone_performance&) = delete;
  lone_performance& operator=(const lone_performance&) = delete;
  ~lone_performance() { finish(); }

  /// After finish(), chosen() is what was committed.
  [[gnu::always_inline]] void perform() {
    touch_stack();
    while (true) {
      progress got = progress::none;
      if (!Leaf::tries_when_enlisted && all_.only.looks_ready()) {
        got = all_.only.attempt(performer_);
      }
      if (got == progress::none) got = performer_.enlist(all_);
      if (got == progress::none) {
        has_waited_ = true;
        // If it was cancelled, so is the token.
        (void)performer_.end_wait(all_, waiter_.wait_plainly());
      }
      if (performer_.chosen() != nullptr || got == progress::failed) return;
      if (performer_.restart(all_) || governed_.token.is_cancelled()) return;
    }
  }
  /// Null: failure() says why. Only after finish(): a peer may have committed a leaf that was
  /// linked, and failed then.
  const leaf* chosen() const noexcept { return performer_.chosen(); }
  [[gnu::noinline]] error failure() const {
    if (performer_.has_failed()) return performer_.failure();
    BAST_ASSERT(governed_.token.is_cancelled());
    return governed_.token.check("perform").error();
  }
  bool has_waited() const noexcept { return has_waited_; }
  /// As performance::finish().
  [[gnu::always_inline]] void finish() noexcept {
    if (std::exchange(finished_, true)) return;
    performer_.leave(all_);
    performer_.pass_on(all_);
    performer_.end(all_);
  }

 private:
  struct list {
    Leaf* first() const noexcept { return &only; }
    static Leaf* after(const Leaf& /*only*/) noexcept { return nullptr; }
    Leaf& only;
  };

  const coro_attachment& governed_;
  list all_;
  waiter waiter_;
  performer performer_;
  bool has_waited_ = false;
  bool finished_ = false;
};

/// After a perform that ended without waiting: one of those that a fiber may do in a row (IO-7).
inline void spend_op() {
  thread_state& thread = this_thread;
  if (thread.scheduler != nullptr && thread.current != nullptr && thread.ops_left-- == 0)
      [[unlikely]] {
    thread.scheduler->relent();
  }
}

/// Seeds the choice among ready arms of the calling thread, for a run that repeats.
void seed_choices(std::uint64_t seed) noexcept;
/// Below `count`, of the calling thread's generator.
std::uint64_t random_below(std::uint64_t count) noexcept;

}  // namespace internal

/// What can be performed: an inert value (O-1). `plan` is its form during one perform.
template <class Op>
concept performable =
    std::move_constructible<Op> &&
    requires(Op op, internal::branch_list& list, const internal::leaf* leaf,
             typename Op::template plan<internal::real_traits>& p) {
      typename Op::value_type;
      requires std::constructible_from<typename Op::template plan<internal::real_traits>, Op>;
      p.gather(list);
      { p.has(leaf) } -> std::same_as<bool>;
      { p.take(leaf) } -> std::same_as<result<typename Op::value_type>>;
    };

template <performable Op>
using value_of = typename Op::value_type;

/// Waits until one leaf of `op` commits, and returns its value through the wraps above it; exactly
/// one commits, or none (O-2). A wait that ends otherwise did not happen. Any coroutine with an
/// executor, and any OS thread (O-16). Ends early when the token that governs the caller fires.
/// Allocates only what an op itself documents, and nothing once it has begun to wait (O-17). Throws
/// what guards and wraps throw, and forced_unwind if the coroutine is released.
///
/// Errors: cancelled; not_in_fiber; bad_state (in a callback, or in a guard); limit (more than
/// 65,534 arms); those of guards, wraps and the committed op.
template <performable Op>
[[nodiscard]] result<value_of<Op>> perform(Op op) {
  typename Op::template plan<internal::real_traits> plan(std::move(op));
  if constexpr (requires { plan.only(); }) {
    if (const internal::coro_attachment* const governed = internal::may_perform_plainly())
        [[likely]] {
      internal::lone_performance run(*governed, plan.only());
      run.perform();
      run.finish();
      const internal::leaf* const chosen = run.chosen();
      if (chosen == nullptr) return std::unexpected(run.failure());
      if (!run.has_waited()) internal::spend_op();
      return plan.take(chosen);
    }
  }
  internal::branch_list all;
  plan.gather(all);
  internal::performance run(all);
  const auto chosen = run.perform();
  run.finish();
  if (!chosen) return std::unexpected(chosen.error());
  if (!run.has_waited()) internal::spend_op();
  return plan.take(*chosen);
}

/// One look, without waiting and without a check for cancellation: the value if an arm could commit
/// at once (O-14).
template <performable Op>
[[nodiscard]] std::optional<result<value_of<Op>>> poll(Op op) {
  typename Op::template plan<internal::real_traits> plan(std::move(op));
  internal::branch_list all;
  plan.gather(all);
  internal::performance run(all);
  const auto chosen = run.poll();
  run.finish();
  if (!chosen) return result<value_of<Op>>(std::unexpected(chosen.error()));
  if (*chosen == nullptr) return std::nullopt;
  return plan.take(*chosen);
}

}  // namespace bast::inline BAST_ABI
