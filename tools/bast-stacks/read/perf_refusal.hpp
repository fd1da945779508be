// SPDX-License-Identifier: Apache-2.0
//
// Why page faults could not be watched: the kernel says one number for many refusals.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// What the kernel refused.
enum class perf_step : std::uint8_t { list, open, map, redirect };

/// What tells the refusals apart; split off to be tested.
struct refused_perf {
  pid_t pid = 0;
  int error = 0;  // errno
  perf_step step = perf_step::open;
  std::optional<int> paranoid;  // kernel.perf_event_paranoid, where it can be read
  std::size_t descriptors = 0;  // events that had been opened
};
problem explain(const refused_perf& refused);

/// kernel.perf_event_paranoid, where the kernel has it.
std::optional<int> perf_paranoid();

}  // namespace bast_stacks
