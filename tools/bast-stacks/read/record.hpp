// SPDX-License-Identifier: Apache-2.0
//
// Looks at a running process repeatedly.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <optional>

#include "model/snapshot.hpp"

namespace bast_stacks {

struct record_options {
  pid_t pid = 0;
  std::optional<std::chrono::nanoseconds> duration = {};  // without it: until SIGINT or its end
  std::chrono::nanoseconds every = std::chrono::seconds(1);
  bool deepest = false;  // watch its page faults for deepest stacks, see page_faults.hpp
};

/// The last look, with the maxima of all looks. SIGINT, SIGTERM and the end of the process end it
/// successfully. Errors: those of the first look; an interval that is not positive; page faults
/// that were requested and cannot be watched.
std::expected<snapshot, problem> record(const record_options& options);

}  // namespace bast_stacks
