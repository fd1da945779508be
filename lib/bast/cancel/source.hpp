// SPDX-License-Identifier: Apache-2.0
//
// `cancel_source`: requests cancellation. Sources form a tree: cancelling one cancels all below it.
//
//   auto server = bast::cancel_source::create().value();
//   auto request = server.child({.deadline = now + 5s}).value();
//   start(handler, request.token());
//   ...
// cancels the request too
//
// docs/cancellation.md draws the order of all steps.
#pragma once

#include "bast/cancel/token.hpp"

namespace bast::inline BAST_ABI {

struct cancel_source_options {
  /// Blocks cancellation from ancestors until the shield is lifted (C-13).
  bool shielded = false;
  /// When it cancels itself. See cancel_source::advance.
  time_point deadline = never;
};

/// Owns a node of the tree. Movable; a moved-from source is never cancelled and has no children.
/// All functions are thread-safe except moves and destruction; none suspends. Destroying a source
/// does not cancel: its tokens then fire only if an ancestor does.
class cancel_source {
 public:
  /// Creates a tree. Allocates. Errors: no_memory.
  [[nodiscard]] static result<cancel_source> create(
      const cancel_source_options& options = {}) noexcept;
  /// Creates a source below this one; already cancelled if this one is (C-16). Allocates. Errors:
  /// no_memory; bad_state on a moved-from source.
  [[nodiscard]] result<cancel_source> child(
      const cancel_source_options& options = {}) const noexcept;

  cancel_source(cancel_source&&) = default;
  cancel_source& operator=(cancel_source&&) = default;
  cancel_source(const cancel_source&) = delete;
  cancel_source& operator=(const cancel_source&) = delete;
  ~cancel_source() = default;

  /// Marks this source and all unshielded sources below it (C-4). Then runs their callbacks on this
  /// thread, those of descendants before their ancestor's, newest first (C-5), and returns true
  /// when all have ended. Returns false at once if it is already cancelled: the first reason stays
  /// (C-2). If another thread cancels a part of the tree meanwhile, that thread runs the callbacks
  /// of the nodes that it marked. Neither allocates nor fails.
  bool cancel(const cancel_reason& why = {}) const noexcept {
    return node_ && internal::cancel_tree_operations::cancel(*node_.get(), why);
  }

  cancel_token token() const noexcept { return cancel_token(node_); }
  bool is_cancelled() const noexcept { return token_view().is_cancelled(); }
  std::optional<cancel_reason> reason() const noexcept { return token_view().reason(); }
  /// Its id in `cancel_reason::origin`; 0 if moved from.
  std::uint64_t id() const noexcept { return node_ ? node_.get()->id : 0; }
  /// The number of later reasons, which were ignored (C-2).
  std::uint64_t refused() const noexcept;

  /// Lifting the shield below a cancelled source cancels this one within the call.
  void set_shield(bool shielded) const noexcept;
  /// Sets the deadline, earlier or later than before, or `never`. A deadline not after the latest
  /// time reported to the tree cancels within the call. No effect on a cancelled source (C-14).
  void set_deadline(time_point at) const noexcept;
  /// The earliest deadline of this source and its unshielded ancestors.
  time_point deadline() const noexcept { return token_view().deadline(); }

  /// Reports the current time; the driver of a loop calls it. Cancels every source whose deadline
  /// has passed: this one, those below it, and unshielded ancestors together with all below them.
  /// If several deadlines have passed, the earliest is the reason. Time does not go back: the
  /// latest time reported to any source of the tree counts. O(ancestors and sources below).
  void advance(time_point now) const noexcept;
  /// When advance() should be called next: deadline(), or an earlier one below it. O(ancestors and
  /// sources below).
  time_point next_deadline() const noexcept;

 private:
  explicit cancel_source(internal::node_handle node) noexcept : node_(std::move(node)) {}
  cancel_token token_view() const noexcept { return cancel_token(node_); }

  internal::node_handle node_;
};

}  // namespace bast::inline BAST_ABI
