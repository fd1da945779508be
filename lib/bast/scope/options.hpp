// SPDX-License-Identifier: Apache-2.0
//
// The options of a scope, how a scope has ended, and the report of a tree of scopes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bast/sched.hpp"

namespace bast::inline BAST_ABI {

/// Values are stable.
enum class scope_status : std::uint8_t { ok = 1, failed, cancelled };

const char* name_of(scope_status status) noexcept;

/// What a scope ended with instead of a value: its first failure and the later ones (S-3), or that
/// it was cancelled.
struct scope_failure : failures {
  /// `failed` or `cancelled`.
  scope_status status = scope_status::failed;
  /// Why it was cancelled, if it was: a failure cancels the others, too.
  std::optional<cancel_reason> reason = std::nullopt;
  /// It was cancelled by its own request, deadline or failure, not because what is around it was
  /// (C-15).
  bool absorbed = false;

#if BAST_EXCEPTIONS
  /// Throws the exception of the primary, if it is one.
  void rethrow() const {
    if (primary.exception != nullptr) std::rethrow_exception(primary.exception);
  }
#endif
};

/// How one scope has ended, and those below it. Filled while they end; complete when the call that
/// was given it has returned.
struct scope_report {
  std::uint64_t id = 0;
  std::string name = {};
  scope_status status = scope_status::ok;
  /// The primary, then the suppressed ones, as messages.
  std::vector<std::string> failures = {};
  /// Of which there was no room for a message.
  std::size_t dropped = 0;
  /// In the order of their ends.
  std::vector<scope_report> children = {};

  /// One line for each scope and each failure, indented by depth. Allocates.
  std::string to_string() const;
};

struct scope_options {
  /// For diagnostics; static lifetime.
  const char* name = nullptr;
  /// When it cancels itself. One that has passed cancels at once.
  time_point deadline = never;
  /// Cancellation from outside does not reach it; its own does (C-13).
  bool shielded = false;
  /// Its fibers fail independently: a failure is taken by the joiner, else by
  /// run_options::unhandled, and cancels nothing (S-5).
  bool supervise = false;
  /// How long all defers together may wait before their waits fail, too (S-7). 0: they may not
  /// wait. nanoseconds::max(): for ever.
  std::chrono::nanoseconds grace = std::chrono::seconds(5);
  /// Where it and the scopes below it report, or null. Outlives the scope. Allocates; a report for
  /// which there is no memory is omitted.
  scope_report* report = nullptr;
};

}  // namespace bast::inline BAST_ABI
