// SPDX-License-Identifier: Apache-2.0
//
// `cancel_token`: observes a cancel_source. Copyable, one word; keeps the source's state alive.
// Functions that wait take one by value.
//
//   bast::result<void> copy_all(bast::cancel_token stop) {
//     while (more()) {
//       if (auto goes_on = stop.check("copy_all"); !goes_on) return goes_on;
//       copy_one();
//     }
//     return {};
//   }
#pragma once

#include <optional>
#include <span>
#include <utility>

#include "bast/cancel/time.hpp"
#include "bast/cancel/tree.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

using cancel_tree_operations = cancel_operations<os::real_atomics>;
extern template class cancel_operations<os::real_atomics>;
using real_node = cancel_node<os::real_atomics>;
using real_record = cancel_record<os::real_atomics>;
class cancel_registration;
class joined_tokens;

static_assert(nanoseconds_of(never) == no_deadline);

/// A counted pointer to a node, or to none.
class node_handle {
 public:
  node_handle() = default;
  explicit node_handle(real_node* adopted) noexcept : node_(adopted) {}
  node_handle(const node_handle& other) noexcept
      : node_(cancel_tree_operations::keep(other.node_)) {}
  node_handle(node_handle&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  node_handle& operator=(const node_handle& other) noexcept { return *this = node_handle(other); }
  node_handle& operator=(node_handle&& other) noexcept {
    node_handle taken(std::move(other));
    std::swap(node_, taken.node_);
    return *this;
  }
  ~node_handle() {
    if (node_ != nullptr) cancel_tree_operations::drop(node_);
  }

  real_node* get() const noexcept { return node_; }
  /// Transfers the reference to the caller.
  real_node* release() noexcept { return std::exchange(node_, nullptr); }
  explicit operator bool() const noexcept { return node_ != nullptr; }
  friend bool operator==(const node_handle&, const node_handle&) = default;

 private:
  real_node* node_ = nullptr;
};

}  // namespace internal

/// Thread-safe like std::shared_ptr: one object belongs to one thread at a time. No function
/// suspends; only any_of allocates.
class cancel_token {
 public:
  /// Never fires; registering with it costs nothing (C-19).
  cancel_token() = default;

  /// One acquire load.
  bool is_cancelled() const noexcept {
    return node_ && internal::cancel_tree_operations::is_cancelled(*node_.get());
  }
  /// Returns false if it can never fire.
  bool can_be_cancelled() const noexcept { return static_cast<bool>(node_); }
  /// The reason, once it is cancelled; permanent (C-2).
  std::optional<cancel_reason> reason() const noexcept {
    if (!is_cancelled()) return std::nullopt;
    return internal::cancel_tree_operations::reason_of(*node_.get());
  }
  /// Fails with errc::cancelled and the reason's text once it is cancelled.
  [[nodiscard]] result<void> check(static_string operation) const noexcept {
    if (!is_cancelled()) [[likely]]
      return {};
    return std::unexpected(
        internal::cancel_tree_operations::reason_of(*node_.get()).as_error(operation));
  }

  /// The earliest deadline of the source and its unshielded ancestors (C-14), or `never`. O(their
  /// number). For a joined token, the earliest current deadline of all tokens that it joins (C-19);
  /// visits each of them, one thread at a time.
  time_point deadline() const noexcept;

  /// Returns a token that fires with the reason of the first of these to fire, and then unregisters
  /// from the others (C-19). For one token, or if one has already fired, returns that one; for
  /// none, the token that never fires. Otherwise it allocates. Errors: no_memory.
  [[nodiscard]] static result<cancel_token> any_of(std::span<const cancel_token> tokens) noexcept;
  template <class... Tokens>
    requires(std::is_same_v<Tokens, cancel_token> && ...)
  [[nodiscard]] static result<cancel_token> any_of(const Tokens&... tokens) noexcept {
    const cancel_token all[sizeof...(tokens) + 1] = {tokens..., cancel_token()};
    return any_of(std::span<const cancel_token>(all));
  }

  friend bool operator==(const cancel_token&, const cancel_token&) = default;

 private:
  friend class cancel_source;
  friend class internal::cancel_registration;
  friend class internal::joined_tokens;
  explicit cancel_token(internal::node_handle node) noexcept : node_(std::move(node)) {}

  internal::node_handle node_;
};

}  // namespace bast::inline BAST_ABI
