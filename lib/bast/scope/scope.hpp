// SPDX-License-Identifier: Apache-2.0
//
// `scope`: a block that ends when all fibers in it have ended. `run_scope` opens one.
//
//   auto both = bast::run_scope([](bast::scope& s) -> bast::result<int> {
//     auto a = s.spawn([] { return load("a"); }).value();
//     auto b = s.spawn([] { return load("b"); }).value();
//     return compare(a.join().value(), b.join().value());
//   }, {.name = "compare", .deadline = now + 5s});
//
// The first fiber that fails cancels the others, and what it failed with is what run_scope returns.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

#include "bast/scope/core.hpp"

namespace bast::inline BAST_ABI {

class scope;

/// A defer that can be taken back. Of one scope, which it must not outlive.
class deferred {
 public:
  /// Unregisters the function, and destroys it. False: it has run, or runs. In a fiber of the
  /// scope. O(defers that were registered later).
  bool forget() noexcept {
    internal::defer_node* const mine = of_->remove(number_);
    if (mine != nullptr) mine->free(*mine);
    return mine != nullptr;
  }

 private:
  friend class scope;
  deferred(internal::scope_core& of, std::uint64_t number) noexcept : of_(&of), number_(number) {}
  internal::scope_core* of_;
  std::uint64_t number_;
};

namespace internal {

template <class F>
struct defer_of final : defer_node {
  static_assert(std::is_invocable_v<F&> || std::is_invocable_v<F&, const scope_end&>,
                "a defer takes nothing, or a const scope_end&");
  explicit defer_of(F&& function) noexcept
      : defer_node(call_it, free_it), function_(std::move(function)) {}
  static result<void> call_it(defer_node& self, const scope_end& how) {
    auto& mine = static_cast<defer_of&>(self).function_;
    const auto call = [&]() -> decltype(auto) {
      if constexpr (std::is_invocable_v<F&, const scope_end&>) {
        return mine(how);
      } else {
        return mine();
      }
    };
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return {};
    } else {
      static_assert(std::is_same_v<decltype(call()), result<void>>,
                    "a defer returns nothing, or a result<void>");
      return call();
    }
  }
  static void free_it(defer_node& self) noexcept { os::destroy(static_cast<defer_of*>(&self)); }

  F function_;
};

}  // namespace internal

/// Given to the body of run_scope, and alive until that returns. Its fibers may use it too, and
/// hand it to others that end before it. Functions may be called in any fiber of its runtime unless
/// they say otherwise.
class scope {
 public:
  explicit scope(internal::scope_core& core) noexcept : core_(&core) {}
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
  ~scope() = default;

  /// As bast::spawn, into this scope; which is also where bast::spawn goes within its body and its
  /// fibers. The fiber is governed by this scope, whoever spawns it (C-14). In a cancelled scope it
  /// still runs to its first checkpoint (C-16). If the handle is dropped, the scope waits for it
  /// all the same. Errors: those of bast::spawn; closed; wrong_thread (of another runtime): the
  /// function is unchanged.
  template <class F>
  [[nodiscard]] result<fiber<internal::fiber_value<std::decay_t<F>>>> spawn(
      F&& function, const spawn_options& options = {},
      const std::source_location& where = std::source_location::current()) {
    return internal::spawn_in(core_, std::forward<F>(function), options, site_key::at(where));
  }
  /// As spawn(), but in a cancelled scope fails with `cancelled`, the function unchanged.
  template <class F>
  [[nodiscard]] result<fiber<internal::fiber_value<std::decay_t<F>>>> spawn_unless_cancelled(
      F&& function, const spawn_options& options = {},
      const std::source_location& where = std::source_location::current()) {
    if (auto goes_on = token().check("spawn"); !goes_on) return std::unexpected(goes_on.error());
    return spawn(std::forward<F>(function), options, where);
  }

  /// Calls `function()`, or `function(const scope_end&)`, when all fibers of the scope have ended,
  /// on its owner, however the scope ends; the latest registered first (S-6). It may wait, shielded
  /// from the scope's cancellation, up to scope_options::grace (S-7). If it returns an error or
  /// throws, the scope has failed. Copies or moves the function in; throws what the copy throws.
  /// Allocates. Errors: no_memory; closed (the scope is finalizing): the function is unchanged.
  template <class F>
  [[nodiscard]] result<deferred> defer(F&& function) {
    using node = internal::defer_of<std::decay_t<F>>;
    static_assert(std::is_nothrow_move_constructible_v<std::decay_t<F>>,
                  "a defer's function is moved, and must not throw then");
    static_assert(alignof(node) <= alignof(std::max_align_t),
                  "a defer's function has an alignment that the heap does not give");
    if (auto ready = core_->reserve_defer(); !ready) return std::unexpected(ready.error());
    constexpr auto give_back = [](void* unused) noexcept { os::deallocate(unused); };
    std::unique_ptr<void, decltype(give_back)> place(os::allocate(sizeof(node)), give_back);
    if (place == nullptr) return fail(errc::no_memory, "defer", "no memory for the defer");
    std::decay_t<F> taken(std::forward<F>(function));
    auto* const made = ::new (place.release()) node(std::move(taken));
    const auto number = core_->push(*made);
    if (number) return deferred(*core_, *number);
    internal::hand_back<F>(function, made->function_);
    made->free(*made);
    return std::unexpected(number.error());
  }

  /// Cancels its fibers and its body, and the scopes below it. Any thread. As
  /// cancel_source::cancel: C-2, C-4, C-18.
  bool cancel(cancel_reason why = {}) const noexcept {
    // That code is for what comes from outside (C-15).
    if (why.code == cancel_code::parent) why.code = cancel_code::requested;
    return core_->fibers().cancels().cancel(why);
  }
  /// No further spawn, and no further scope within it: they fail with `closed` and this text.
  /// Cancels nothing. The owner only. Errors: wrong_thread.
  [[nodiscard]] result<void> close(static_string why = "the scope was closed") noexcept {
    if (auto mine = core_->check_owner("scope.close"); !mine) return mine;
    core_->close_to({errc::closed, "spawn", why});
    return {};
  }
  /// Commits when no fiber is left but daemons; the fibers of the scope would wait for themselves.
  /// Never consumes.
  [[nodiscard]] auto idle() const noexcept {
    return retry_on(core_->changes(), [core = core_]() noexcept { return core->size() == 0; });
  }
  /// Waits for idle(), in the body. More may be spawned afterwards. The owner only. Errors:
  /// cancelled; wrong_thread.
  [[nodiscard]] result<void> join() {
    if (auto mine = core_->check_owner("scope.join"); !mine) return mine;
    return bast::perform(idle());
  }
  /// Commits when a fiber, the body or a defer has failed. Never consumes.
  [[nodiscard]] auto fault() const noexcept {
    return retry_on(core_->changes(), [core = core_]() noexcept { return core->has_failed(); });
  }
  /// Commits when it was cancelled, by a failure or otherwise. Never consumes.
  [[nodiscard]] cancelled_op not_ok() const noexcept { return cancelled(token()); }
  /// Performs `op` under this scope's cancellation instead of the caller's: in a fiber of a scope
  /// below it, say.
  template <performable Op>
  [[nodiscard]] result<value_of<Op>> perform(Op op) {
    const cancel_binding bound(token());
    return bast::perform(std::move(op));
  }

  /// Fires when it is cancelled. May outlive it, and then never fires.
  cancel_token token() const noexcept { return core_->fibers().token; }
  bool is_cancelled() const noexcept { return token().is_cancelled(); }
  std::optional<cancel_reason> reason() const noexcept { return token().reason(); }
  /// The earliest of its own and those of what is around it, unless shielded (C-14).
  time_point deadline() const noexcept { return core_->fibers().cancels().deadline(); }
  /// Earlier or later than before, or `never`. One that has passed cancels within the call; without
  /// effect once it is cancelled. On the worker of its owner. Errors: wrong_thread.
  [[nodiscard]] result<void> set_deadline(time_point at) noexcept {
    if (!core_->fibers().is_at_home()) {
      return fail(errc::wrong_thread, "scope.set_deadline",
                  "only on the worker of the fiber that opened the scope");
    }
    core_->fibers().set_deadline(at);
    return {};
  }
  /// Fibers that have not ended, without daemons.
  [[nodiscard]] std::size_t size() const noexcept { return core_->size(); }
  /// In reasons and reports.
  [[nodiscard]] std::uint64_t id() const noexcept { return core_->id(); }
  [[nodiscard]] const char* name() const noexcept { return core_->options().name; }

 private:
  internal::scope_core* core_;
};

namespace internal {

template <class F>
using scope_value = typename unwrapped<std::invoke_result_t<F&, scope&>>::type;

/// The failure of a scope that was not opened.
scope_failure not_opened(const error& why, const char* name) noexcept;

}  // namespace internal

/// Opens a scope, calls `body(scope&)`, and returns when the body, all fibers spawned in the scope,
/// all scopes in it and all its defers have ended (S-1). Returns what the body returned, unless one
/// of them failed or the scope was cancelled (S-4): then the failure, always of one shape.
///
/// A fiber fails by an exception, or by an error that it returns; the first failure cancels the
/// scope (S-3). `cancelled`, as the error of the body or a fiber of a cancelled scope, is no
/// failure: the scope ends as cancelled, unless something fails. In a scope that was not cancelled
/// it is stray_cancel (C-17). Within the body and the fibers, spawn() and what builds on it go to
/// the scope.
///
/// In a fiber, not in a coroutine within it. Suspends; its wait for the fibers is not cancelled,
/// they are. What the body throws is a failure. Allocates the scope's node of the cancellation
/// tree, and for each further worker that runs fibers of it, a list. Errors, as the primary:
/// not_in_fiber; bad_state (code that may not suspend); forked; no_memory; `invalid` (the grace is
/// negative); closed (the scope around it): the body has not run.
template <class F>
[[nodiscard]] std::expected<internal::scope_value<F>, scope_failure> run_scope(
    F body, const scope_options& options = {}) {
  using value = internal::scope_value<F>;
  using returned = std::invoke_result_t<F&, scope&>;
  static_assert(!internal::holds_failures<returned>,
                "a failure would be lost: return bast::result<T>, to which that of run_scope "
                "converts");
  if (auto may = internal::scope_core::check("run_scope"); !may) {
    return std::unexpected(internal::not_opened(may.error(), options.name));
  }
  internal::scope_core core(options);
  if (auto begun = core.begin(); !begun) {
    return std::unexpected(internal::not_opened(begun.error(), options.name));
  }
  scope handle(core);
  std::optional<std::conditional_t<std::is_void_v<returned>, char, returned>> got;
#if BAST_EXCEPTIONS
  try {
#endif
    if constexpr (std::is_void_v<returned>) {
      body(handle);
    } else {
      got.emplace(body(handle));
    }
#if BAST_EXCEPTIONS
  } catch (...) {
    core.fail_body(std::current_exception());
  }
#endif
  if constexpr (!std::is_same_v<returned, value>) {
    if (got && !*got) core.fail_body(got->error());
  }
  core.finish();
  if (core.status() != scope_status::ok) return std::unexpected(core.take_failure());
  if constexpr (std::is_void_v<value>) {
    return {};
  } else if constexpr (std::is_same_v<returned, value>) {
    return std::move(*got);
  } else {
    return std::move(**got);
  }
}

}  // namespace bast::inline BAST_ABI
