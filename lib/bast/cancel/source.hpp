// SPDX-License-Identifier: Apache-2.0
//
// `cancel_source`: where cancellation is asked for. Sources form a tree: cancelling one cancels all
// below it.
//
//   auto server = bast::cancel_source::create().value();
//   auto request = server.child({.deadline = now + 5s}).value();
//   start(handler, request.token());
//   ...
//   server.cancel({.code = bast::cancel_code::shutdown});   // the request too
//
// docs/cancellation.md draws the order in which everything happens.
#pragma once

#include "bast/cancel/token.hpp"

namespace bast::inline BAST_ABI {

struct cancel_source_options {
  /// What is cancelled above does not reach it, until the shield is lifted (C-13).
  bool shielded = false;
  /// When it is cancelled by itself. See cancel_source::advance.
  time_point deadline = never;
};

/// Owns a node of the tree. Movable; moved from, it is never cancelled and has no children. Every
/// function is thread-safe but moving and destruction, and none suspends. Ending a source cancels
/// nothing: its tokens then never fire, unless an ancestor does.
class cancel_source {
 public:
  /// A new tree. Allocates. Errors: no_memory.
  [[nodiscard]] static result<cancel_source> create(
      const cancel_source_options& options = {}) noexcept;
  /// A source below this one; born cancelled when this one is (C-16). Allocates. Errors: no_memory;
  /// bad_state when this source was moved from.
  [[nodiscard]] result<cancel_source> child(
      const cancel_source_options& options = {}) const noexcept;

  cancel_source(cancel_source&&) = default;
  cancel_source& operator=(cancel_source&&) = default;
  cancel_source(const cancel_source&) = delete;
  cancel_source& operator=(const cancel_source&) = delete;
  ~cancel_source() = default;

  /// Marks this source and all that is below it and not shielded (C-4); then runs their callbacks
  /// on this thread, what is below a source before its own, newest first (C-5), and returns true
  /// when all have ended. False, at once, when it is cancelled already: the first reason stays
  /// (C-2). Where another thread cancels a part of it meanwhile, that thread runs the callbacks of
  /// what it marked. Neither allocates nor fails.
  bool cancel(const cancel_reason& why = {}) const noexcept {
    return node_ && internal::cancel_tree_operations::cancel(*node_.get(), why);
  }

  cancel_token token() const noexcept { return cancel_token(node_); }
  bool is_cancelled() const noexcept { return token_view().is_cancelled(); }
  std::optional<cancel_reason> reason() const noexcept { return token_view().reason(); }
  /// What `cancel_reason::origin` calls it. 0 when moved from.
  std::uint64_t id() const noexcept { return node_ ? node_.get()->id : 0; }
  /// How many reasons came too late (C-2).
  std::uint64_t refused() const noexcept;

  /// Lifting the shield below a cancelled source cancels this one, here and now.
  void set_shield(bool shielded) const noexcept;
  /// Earlier or later than before, or `never`; a deadline at or before the time that the tree was
  /// last told cancels here and now. Without effect once it is cancelled (C-14).
  void set_deadline(time_point at) const noexcept;
  /// Its own and its unshielded ancestors' earliest.
  time_point deadline() const noexcept { return token_view().deadline(); }

  /// Time is data here: whoever drives a loop says what time it is, and what is due of this source
  /// and of all below it is cancelled, and an unshielded ancestor whose deadline has passed, with
  /// all below that. Of several deadlines that have passed the earliest is the reason. Time does
  /// not go back: the latest that any source of the tree was told counts. O(ancestors and sources
  /// below).
  void advance(time_point now) const noexcept;
  /// When it should next be told: deadline(), or an earlier one below it. O(ancestors and sources
  /// below).
  time_point next_deadline() const noexcept;

 private:
  explicit cancel_source(internal::node_handle node) noexcept : node_(std::move(node)) {}
  cancel_token token_view() const noexcept { return cancel_token(node_); }

  internal::node_handle node_;
};

}  // namespace bast::inline BAST_ABI
