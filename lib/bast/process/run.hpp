// SPDX-License-Identifier: Apache-2.0
//
// The coroutine's side of `command::run`, apart from how a process is started: for models, which
// make processes up and still wait for them by this very code.
#pragma once

#include "bast/cancel.hpp"
#include "bast/process/driver.hpp"

namespace bast::internal {

/// Starts something that `driver` follows, so that `finished` is called with `state` at its end.
using process_starter = result<process_id> (*)(void* context, process_driver& driver,
                                               process_finished finished, void* state);

/// Starts, and suspends the coroutine until the process has ended. What `own` or the coroutine's
/// token cancels before the start does not start; afterwards it is ended (P-14). Errors:
/// not_in_fiber, bad_state, cancelled, no_memory; those of `start`.
[[nodiscard]] result<process_result> run_and_wait(process_driver& driver, const cancel_token& own,
                                                  process_starter start, void* context);

}  // namespace bast::internal
