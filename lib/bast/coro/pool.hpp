// SPDX-License-Identifier: Apache-2.0
//
// `coro_pool`: creates coroutines and keeps their stacks.
//
//   auto pool = bast::coro_pool::create({.stack = {.limit = 1_MiB}, .max_coros = 10'000});
//   if (!pool) return pool.error();
//   auto numbers = pool->make([](bast::yielder<int>& out) { out.yield(1); });
//
// A pool and its coroutines belong to the thread that created the pool; calls on other threads fail
// with wrong_thread. The pools of different threads share only the process's budgets.
//
// A moved-from pool has no coroutines; creating one fails with bad_state.
#pragma once

#include <utility>

#include "bast/coro/coro.hpp"
#include "bast/coro/coro_of.hpp"

namespace bast::inline BAST_ABI {

class coro_pool {
 public:
  /// Creates a pool for the calling thread and prepares the thread (alternate signal stack) and the
  /// process (fault handler). `where` names the pool to the inspector. Errors: `invalid`, naming
  /// the option; no_memory; unsupported.
  [[nodiscard]] static result<coro_pool> create(
      const coro_pool_options& options = {},
      const std::source_location& where = std::source_location::current()) noexcept {
    const auto core = internal::pool_core::create(options, site_key::at(where));
    if (!core) return std::unexpected(core.error());
    return coro_pool(*core);
  }

  coro_pool(const coro_pool&) = delete;
  coro_pool& operator=(const coro_pool&) = delete;
  coro_pool(coro_pool&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  /// The contents of this pool end as in the destructor.
  coro_pool& operator=(coro_pool&& other) noexcept {
    // Destroyed last: the destructors in its coroutines may access or destroy both of these.
    const coro_pool before(std::exchange(core_, std::exchange(other.core_, nullptr)));
    return *this;
  }
  /// Unwinds suspended coroutines, newest acquired first (F-17), and frees everything. A build
  /// without exceptions abandons them (F-12). Ends the process if a coroutine of this pool is
  /// running, or on a thread other than the pool's. Does nothing in a child that was forked without
  /// the pool's thread (IO-15).
  ~coro_pool() {
    if (core_ != nullptr) internal::pool_core::destroy(core_);
  }

  /// Creates a coroutine that calls `function`, suspended before its first statement: `resume`
  /// begins it. Its types are those of the function (coro_of). The function is stored on the
  /// coroutine's stack and destroyed there when it has returned, or when the coroutine is released
  /// earlier. A function that suspends must not be noexcept: releasing it unwinds it by a throw.
  /// Depths are recorded under the caller's source location. Never blocks. If the function's copy
  /// or move throws, that propagates. Errors: those of acquire; `limit` and no_memory if there is
  /// no stack.
  template <class F>
  [[nodiscard]] result<coro_of<F>> make(
      F&& function, std::source_location where = std::source_location::current()) {
    return make_at<coro_of<F>>(site_key::at(where), std::forward<F>(function), nullptr);
  }
  /// The same, recorded under a label that also becomes the name.
  template <class F>
  [[nodiscard]] result<coro_of<F>> make(static_string label, F&& function) {
    return make_at<coro_of<F>>(site_key::labelled(label.c_str()), std::forward<F>(function),
                               label.c_str());
  }

  /// The same in two steps, with explicit types: creates a ready coroutine, which has no stack
  /// until `start` runs it. Never blocks or throws. Errors: wrong_thread, forked, bad_state,
  /// `limit` (max_coros), no_memory.
  template <class Yield = void, class Resume = void, class Return = void>
  [[nodiscard]] result<coro<Yield, Resume, Return>> acquire() noexcept {
    using ref = coro_ref<Yield, Resume, Return>;
    if (core_ == nullptr) [[unlikely]]
      return moved_from("coro_pool.acquire");
    const auto block = core_->acquire();
    if (!block) [[unlikely]]
      return std::unexpected(block.error());
    return coro<Yield, Resume, Return>(ref(**block));
  }

  /// Returns true if `handle` came from this pool; it may be stale.
  template <class Yield, class Resume, class Return>
  bool owns(const coro_ref<Yield, Resume, Return>& handle) const noexcept {
    return core_ != nullptr && internal::chunk::of(*handle.block_).owner == core_;
  }
  /// handle.release(); fails with stale_handle if the coroutine belongs to another pool (F-16).
  template <class Yield, class Resume, class Return>
  [[nodiscard]] result<void> release(coro_ref<Yield, Resume, Return>& handle) noexcept {
    if (!owns(handle)) {
      return fail(errc::stale_handle, "coro_pool.release", "the coroutine is not from this pool");
    }
    return handle.release();
  }

  /// Makes the calling thread the owner. Errors: busy if a coroutine has started and not finished,
  /// because it never changes its thread; bad_state.
  [[nodiscard]] result<void> adopt() noexcept {
    if (core_ == nullptr) return moved_from("coro_pool.adopt");
    return core_->adopt();
  }

  /// Prepares `count` stacks ahead of use. Errors: wrong_thread, forked, bad_state, `limit`,
  /// no_memory.
  [[nodiscard]] result<void> reserve(std::size_t count) noexcept {
    if (core_ == nullptr) return moved_from("coro_pool.reserve");
    return core_->reserve(count);
  }
  /// Frees the memory of idle stacks, and unmaps slabs without live stacks, but none during
  /// for_each_stack or for_each_site. Returns the bytes of address space unmapped. Never fails.
  bytes shrink() noexcept { return core_ != nullptr ? core_->shrink() : bytes{}; }

  /// O(coroutines + stacks).
  coro_pool_stats stats() const noexcept {
    return core_ != nullptr ? core_->stats() : coro_pool_stats{};
  }
  /// Calls `f(const site_stats&)` for each spawn site that had a stack released. `f` may use the
  /// pool, but not destroy it.
  template <class F>
  void for_each_site(F f) {
    if (core_ == nullptr) return;
    const internal::pool_core::visit visiting(*core_);
    core_->stacks().read_pending_marks();
    const site_table& sites = core_->stacks().sites();
    for (std::uint16_t i = 0; i < sites.size(); ++i) {
      if (sites.entry_of(i).uses != 0) f(sites.stats(i));
    }
  }
  /// Calls `f(const stack_view&)` for each stack of the pool, live or idle. `f` may use the pool,
  /// but not destroy it.
  template <class F>
  void for_each_stack(F f) {
    if (core_ == nullptr) return;
    const internal::pool_core::visit visiting(*core_);
    core_->stacks().for_each_stack([&](slab& home, slot& s) {
      f(stack_view{&s, home.low(s) + home.geometry.guard, home.open_low(s), s.top});
    });
  }
  /// The pool's budget of open stack bytes; its limit may be changed at any time. For a moved-from
  /// pool, a budget that no stack is charged to.
  stack_budget& budget() noexcept {
    return core_ != nullptr ? core_->stacks().budget() : internal::budget_of_nothing;
  }

  /// Checks every invariant of the pool and its stacks; ends the process if one fails. O(coroutines
  /// + stacks). For tests and fuzzers.
  void check_invariants() noexcept {
    if (core_ != nullptr) core_->check_invariants();
  }

 private:
  explicit coro_pool(internal::pool_core* core) noexcept : core_(core) {}

  template <class Made, class F>
  result<Made> make_at(site_key site, F&& function, const char* name) {
    if (core_ == nullptr) [[unlikely]]
      return moved_from("coro_pool.make");
    const auto block = core_->acquire();
    if (!block) [[unlikely]]
      return std::unexpected(block.error());
    Made made{typename Made::ref(**block)};
    if (auto loaded = made.defer(site, std::forward<F>(function), name); !loaded) [[unlikely]]
      return std::unexpected(loaded.error());
    return made;
  }
  [[gnu::cold]] static std::unexpected<error> moved_from(static_string operation) noexcept {
    return fail(errc::bad_state, operation, "the pool was moved from");
  }

  internal::pool_core* core_;
};

}  // namespace bast::inline BAST_ABI
