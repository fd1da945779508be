// SPDX-License-Identifier: Apache-2.0
//
// Ops that do something when they are tried, or when they have lost:
//
//   guard(f)                       f() makes the op, once a perform, when the arm is first tried
//   with_nack(f)                   f(nack) makes it; the nack fires if the arm loses
//   on_abort(op, f)                f() runs if the arm loses
//   bracket(acquire, use, release) use(acquire()) makes it; release(resource, aborted) runs always
//   finally(op, f)                 f(aborted) runs always
//
// An arm loses when the perform ends in any other way than by its commit: by another arm, a cancel,
// the failure of another guard, an exception, or a release of the coroutine. An arm that was not
// tried, because an earlier one committed, has done nothing and loses nothing (O-7).
#pragma once

#include <atomic>
#include <optional>
#include <type_traits>
#include <utility>

#include "bast/op/meeting.hpp"
#include "bast/op/ops.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

struct nack_cell {
  basic_once_event<real_traits> event;
  std::atomic<std::uint32_t> holders{1};
};

}  // namespace internal

/// Tells a server that the arm of a client has lost. Copyable; may outlive the perform.
class nack {
 public:
  nack(const nack& other) noexcept : cell_(other.cell_) {
    // Relaxed: `other` holds it meanwhile.
    cell_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  nack& operator=(const nack& other) noexcept {
    nack copy(other);
    std::swap(cell_, copy.cell_);
    return *this;
  }
  // There is no empty one: a move copies.
  nack(nack&& other) noexcept : cell_(other.cell_) {
    // Relaxed: as above.
    cell_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  nack& operator=(nack&& other) noexcept { return *this = std::as_const(other); }
  ~nack() {
    // Acquire and release: pairs with the other holders' ends; the last one frees it.
    if (cell_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) os::destroy(cell_);
  }

  bool has_fired() const noexcept { return cell_->event.has_fired(); }

  /// An op that commits when the arm has lost.
  class fired_op;
  fired_op fired() const;

 private:
  friend class nack_op_base;
  explicit nack(internal::nack_cell& adopted) noexcept : cell_(&adopted) {}
  internal::nack_cell* cell_;
};

class nack::fired_op {
 public:
  using value_type = void;

  template <class Traits>
  class plan : public internal::leaf_plan<typename internal::basic_once_event<Traits>::leaf> {
   public:
    explicit plan(fired_op op) : plan::leaf_plan(op.of_.cell_->event), of_(op.of_) {}
    [[nodiscard]] result<void> take(const internal::basic_leaf<Traits>* /*chosen*/) { return {}; }

   private:
    nack of_;  // holds the event
  };

 private:
  friend nack;
  // NOLINTNEXTLINE(modernize-pass-by-value): a move copies
  explicit fired_op(const nack& of) noexcept : of_(of) {}
  nack of_;
};

inline nack::fired_op nack::fired() const { return fired_op(*this); }

namespace internal {

/// `Source` has make(), which returns a result<Op>, and lost() and committed(), of which one is
/// called if make() was; and perhaps status(), a result<void> after committed(), whose error is
/// that of the op.
template <class Source>
class lazy_op {
 public:
  using op = typename Source::op;
  using value_type = value_of<op>;
  explicit lazy_op(Source source) : source_(std::move(source)) {}

  template <class Traits>
  class plan final : public basic_group<Traits> {
   public:
    using typename basic_group<Traits>::performer;
    using typename basic_group<Traits>::leaf;

    explicit plan(lazy_op made) : source_(std::move(made.source_)) {}
    plan(const plan&) = delete;
    plan& operator=(const plan&) = delete;
    /// A coroutine that is released after the commit takes nothing.
    ~plan() { close(); }
    void gather(basic_branch_list<Traits>& list) { list.append(*this); }
    bool has(const leaf* chosen) const { return plan_ && chosen != nullptr && plan_->has(chosen); }
    [[nodiscard]] result<value_type> take(const leaf* chosen) {
      // Also if a wrap throws.
      struct at_end {
        explicit at_end(plan& ended) noexcept : of(ended) {}
        at_end(const at_end&) = delete;
        at_end& operator=(const at_end&) = delete;
        ~at_end() { of.close(); }
        plan& of;
      } const ends(*this);
      result<value_type> got = plan_->take(chosen);
      if constexpr (requires { source_.status(); }) {
        close();
        if (auto ended = source_.status(); !ended) return std::unexpected(ended.error());
      }
      return got;
    }

    bool looks_ready() const noexcept override { return true; }
    progress attempt(performer& who) override {
      // Made once, however often the perform tries (O-6).
      if (std::exchange(started_, true)) return basic_group<Traits>::attempt(who);
      auto made = make();
      if (!made) {
        who.fail_with(made.error());
        return progress::failed;
      }
      plan_.emplace(*std::move(made));
      plan_->gather(this->inner);
      return basic_group<Traits>::attempt(who);
    }
    void end(const leaf* chosen) noexcept override {
      basic_group<Traits>::end(chosen);
      if (!started_ || has(chosen)) return;
      closed_ = true;
      source_.lost();
    }

   private:
    void close() noexcept {
      if (started_ && !std::exchange(closed_, true)) source_.committed();
    }
    [[nodiscard]] result<op> make() {
      // A guard that waited would hold up the other arms (O-6): bad_state.
      const no_suspension forbidden;
      return source_.make();
    }
    Source source_;
    bool started_ = false;
    bool closed_ = false;
    std::optional<typename op::template plan<Traits>> plan_;
  };

 private:
  Source source_;
};

struct source_base {
  void lost() noexcept {}
  void committed() noexcept {}
};

/// What a source makes in a perform: another op, copied or moved from this one, has none.
template <class T>
struct of_one_perform : std::optional<T> {
  of_one_perform() = default;
  of_one_perform(const of_one_perform& /*other*/) noexcept : std::optional<T>() {}
  of_one_perform& operator=(const of_one_perform& /*other*/) noexcept { return *this; }
  of_one_perform(of_one_perform&& /*other*/) noexcept : std::optional<T>() {}
  of_one_perform& operator=(of_one_perform&& /*other*/) noexcept { return *this; }
  ~of_one_perform() = default;
};

template <class F>
struct guard_source : source_base {
  using op = typename unwrapped<std::invoke_result_t<F&>>::type;
  [[nodiscard]] result<op> make() { return f(); }
  F f;
};

template <class Op, class F>
struct abort_source : source_base {
  using op = Op;
  [[nodiscard]] result<Op> make() { return std::move(inner); }
  void lost() noexcept { f(); }
  Op inner;
  F f;
};

template <class Op, class F>
struct finally_source : source_base {
  using op = Op;
  [[nodiscard]] result<Op> make() { return std::move(inner); }
  void lost() noexcept { f(true); }
  void committed() noexcept { f(false); }
  Op inner;
  F f;
};

}  // namespace internal

class nack_op_base {
 protected:
  static std::optional<nack> make() noexcept {
    auto* const cell = os::make<internal::nack_cell>();
    if (cell == nullptr) return std::nullopt;
    return nack(*cell);
  }
  static void fire(const nack& n) noexcept { n.cell_->event.fire(); }
};

namespace internal {

template <class F>
struct nack_source : source_base, private nack_op_base {
  using op = typename unwrapped<std::invoke_result_t<F&, nack>>::type;
  explicit nack_source(F maker) : f(std::move(maker)) {}
  [[nodiscard]] result<op> make() {
    if (auto made = nack_op_base::make()) cell.emplace(*made);
    if (!cell) return fail(errc::no_memory, "with_nack", "no memory for a nack");
    return f(*cell);
  }
  void lost() noexcept {
    if (cell) fire(*cell);
  }
  F f;
  of_one_perform<nack> cell;
};

template <class Acquire, class Use, class Release>
struct bracket_source : source_base {
  using resource = typename unwrapped<std::invoke_result_t<Acquire&>>::type;
  using op = typename unwrapped<std::invoke_result_t<Use&, resource&>>::type;
  bracket_source(Acquire a, Use u, Release r)
      : acquire(std::move(a)), use(std::move(u)), release(std::move(r)) {}

  [[nodiscard]] result<op> make() {
    result<resource> got = acquire();
    if (!got) return std::unexpected(got.error());
    held.emplace(*std::move(got));
    return use(*held);
  }
  void lost() noexcept { let_go(true); }
  void committed() noexcept { let_go(false); }
  void let_go(bool aborted) noexcept {
    if (!held) return;
    release(*held, aborted);
    held.reset();
  }
  Acquire acquire;
  Use use;
  Release release;
  of_one_perform<resource> held;
};

}  // namespace internal

/// `f()` returns an op, or a result of one whose failure is that of the perform. At most once for
/// each perform, on the performing fiber or thread; it may not suspend (bad_state). O-6.
template <class F>
auto guard(F f) {
  return internal::lazy_op(internal::guard_source<F>{{}, std::move(f)});
}
/// `f(nack)`, as of guard. Of each arm that was tried exactly one happens: it commits, or its nack
/// fires, before perform returns (O-7). Allocates the nack's state when it is tried (no_memory).
template <class F>
auto with_nack(F f) {
  return internal::lazy_op(internal::nack_source<F>(std::move(f)));
}
/// `f` is noexcept and does not block. In the order of the arms, before perform returns (O-8).
template <performable Op, class F>
auto on_abort(Op op, F f) {
  return internal::lazy_op(internal::abort_source<Op, F>{{}, std::move(op), std::move(f)});
}
/// `acquire()` and `use(resource&)` as of guard. `release(resource&, aborted)` runs exactly once if
/// acquire succeeded: `aborted` is false if the arm committed, and then it runs after the wraps
/// within `use`, before those around the bracket (O-9). It is noexcept.
template <class Acquire, class Use, class Release>
auto bracket(Acquire acquire, Use use, Release release) {
  return internal::lazy_op(internal::bracket_source<Acquire, Use, Release>(
      std::move(acquire), std::move(use), std::move(release)));
}

/// `f(aborted)` runs exactly once in each perform that tried the arm: as the release of a bracket
/// without a resource (O-9). So with `aborted` false after the wraps within `op`, also if one
/// throws and if the coroutine is released before it has taken the value; else, as f of on_abort,
/// when another arm, a cancel, a guard's failure or a release has ended the perform. Not at all if
/// the arm was not tried: an earlier one committed, or the perform failed at once. It is noexcept.
template <performable Op, class F>
auto finally(Op op, F f) {
  return internal::lazy_op(internal::finally_source<Op, F>{{}, std::move(op), std::move(f)});
}

}  // namespace bast::inline BAST_ABI
