// SPDX-License-Identifier: Apache-2.0
//
// From a start to a child_process, and the wait of `command::run`. Independent of how a process is
// started: models invent processes and wait for them with this code.
#pragma once

#include "bast/process/child.hpp"

namespace bast::inline BAST_ABI::internal {

/// Starts a process under `driver` that tells `follower` of its progress and its end.
using process_starter = result<process_id> (*)(void* context, process_driver& driver,
                                               const process_follower& follower);

/// Starts a child that is stopped when `own` fires; the caller checks `own` before. Errors, in the
/// name of `operation`: no_memory; those of `start`.
[[nodiscard]] result<child_process> begin_child(process_driver& driver, const cancel_token& own,
                                                static_string operation, process_starter start,
                                                void* context) noexcept;

/// The same, and suspends the coroutine until the process has ended. Starts nothing if `own` or the
/// coroutine's token has fired before. Errors: not_in_fiber, bad_state, cancelled, no_memory; those
/// of `start`.
[[nodiscard]] result<process_result> run_and_wait(process_driver& driver, const cancel_token& own,
                                                  process_starter start, void* context);

}  // namespace bast::inline BAST_ABI::internal
