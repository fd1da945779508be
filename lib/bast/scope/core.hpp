// SPDX-License-Identifier: Apache-2.0
//
// `scope_core`: a scope from its beginning to its end, on the owner's stack.
//
//   Open         the body runs; fibers and defers come
//   Joining      the body has returned; fibers may bring more; then the daemons are cancelled
//   Finalizing   no fiber is left, and none comes; the defers run
//   Done
//
//   I1  The first failure, in the order of lock(), is the primary and cancels (S-3).
//   I2  Defers run on the owner, when all fibers have ended: they need no order with those (S-6).
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "bast/scope/options.hpp"

namespace bast::inline BAST_ABI {

/// What a defer is told: how its scope has ended so far. A later defer is told of the failures of
/// those that ran before it.
struct scope_end {
  scope_status status = scope_status::ok;
  /// The primary; null unless failed. Valid during the call.
  const failures* why = nullptr;
};

namespace internal {

/// Of a function parameter `F&& argument`, which was copied or moved to `taken` in vain: as it was
/// before. Constructed anew, as a lambda cannot be assigned to.
template <class F>
void hand_back(std::remove_reference_t<F>& argument, std::decay_t<F>& taken) noexcept {
  // If it was moved.
  if constexpr (std::is_same_v<F, std::decay_t<F>> && std::is_nothrow_move_constructible_v<F>) {
    std::destroy_at(std::addressof(argument));
    std::construct_at(std::addressof(argument), std::move(taken));
  }
}

/// A defer of a scope, in the order of registration. On the heap, owned by the scope.
struct defer_node {
  using call_function = result<void> (*)(defer_node& self, const scope_end& how);
  using free_function = void (*)(defer_node& self) noexcept;
  defer_node(call_function called, free_function freed) noexcept : call(called), free(freed) {}
  call_function call;
  free_function free;
  defer_node* older = nullptr;
  std::uint64_t number = 0;
};

class scope_core final : public fiber_scope {
 public:
  explicit scope_core(const scope_options& options) noexcept
      : options_(options), grace_(*this, home()) {}
  scope_core(const scope_core&) = delete;
  scope_core& operator=(const scope_core&) = delete;
  ~scope_core();

  /// Before it is constructed. Errors: not_in_fiber (also in a coroutine that a fiber has resumed);
  /// forked.
  [[nodiscard]] static result<void> check_fiber(static_string operation) noexcept;
  /// The same, of code that may suspend. Errors: bad_state.
  [[nodiscard]] static result<void> check(static_string operation) noexcept;

  /// The owner's code goes on in it. Errors: no_memory; `invalid`, naming the option; closed.
  [[nodiscard]] result<void> begin() noexcept;
  /// The same, but the owner's code stays outside.
  [[nodiscard]] result<void> begin_beside() noexcept;
  /// The body has returned. Waits for all fibers, runs the defers. Afterwards status() is final.
  void finish() noexcept;

  /// The body has failed.
  void fail_body(const error& why) noexcept;
#if BAST_EXCEPTIONS
  void fail_body(std::exception_ptr thrown) noexcept;
#endif
  /// After finish().
  scope_status status() const noexcept;
  [[nodiscard]] scope_failure take_failure() noexcept;

  // --- for `scope` -------------------------------------------------------------------------------

  const scope_options& options() const noexcept { return options_; }
  std::uint64_t id() noexcept { return domain().cancels().id(); }
  cancel_domain& fibers() noexcept { return domain(); }
  std::size_t size() const noexcept { return members(); }
  wait_queue& changes() noexcept { return watchers(); }
  /// Errors: wrong_thread.
  [[nodiscard]] result<void> check_owner(static_string operation) const noexcept;
  void close_to(const error& why) noexcept;
  bool is_closed_to_scopes() const noexcept;
  bool is_closed() const noexcept {
    // Relaxed: one that opens within it at that moment may do so.
    return is_closed_.load(std::memory_order_relaxed);
  }
  bool has_failed() const noexcept {
    // Acquire: pairs with the release in add_failure().
    return has_failed_.load(std::memory_order_acquire);
  }
  /// What push() needs, so that finish() needs nothing. Errors: no_memory.
  [[nodiscard]] result<void> reserve_defer() noexcept { return grace_.reserve(nullptr, "defer"); }
  /// Errors: closed: it was not registered. Returns its number.
  [[nodiscard]] result<std::uint64_t> push(defer_node& newest) noexcept;
  /// Null: it has run, or runs.
  [[nodiscard]] defer_node* remove(std::uint64_t number) noexcept;
  bool reports() const noexcept { return report_ != nullptr; }
  /// Any worker. Throws what the allocation throws.
  void attach(scope_report&& child);

 private:
  void failed(fiber_record& ended) noexcept override;
  void add_failure(failure&& why) noexcept;
  void run_defers() noexcept;
  void run_defer(defer_node& one) noexcept;
  void report() noexcept;
  failures& failures_here() noexcept { return *std::launder(reinterpret_cast<failures*>(room_)); }

  scope_options options_;
  scope_core* parent_ = nullptr;  // whose report takes this one's
  std::atomic<bool> has_failed_{false};
  std::atomic<bool> saw_cancelled_{false};  // the body or a fiber has ended so
  bool is_entered_ = false;
  std::atomic<bool> is_closed_{false};  // by the owner
  bool is_absorbed_ = false;
  defer_node* newest_ = nullptr;  // by lock()
  std::uint64_t defers_ = 0;      // by lock(): all that there were
  late_domain grace_;             // of the defers
  scope_report* report_ = nullptr;
  std::optional<scope_report> report_here_;  // until its parent takes it
  std::optional<cancel_reason> reason_;
  // Constructed by the first failure: a thousand bytes are not filled for each scope.
  alignas(failures) std::byte room_[sizeof(failures)];
};

}  // namespace internal
}  // namespace bast::inline BAST_ABI
