// SPDX-License-Identifier: Apache-2.0
//
// Why page faults could not be watched: the kernel has one errno for many refusals.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// The step that the kernel refused.
enum class perf_step : std::uint8_t { list, open, map, redirect };

/// The facts that distinguish the refusals; a type of its own for tests.
struct refused_perf {
  pid_t pid = 0;
  int error = 0;  // errno
  perf_step step = perf_step::open;
  std::optional<int> paranoid;  // kernel.perf_event_paranoid, if readable
  std::size_t descriptors = 0;  // opened events
};
problem explain(const refused_perf& refused);

/// kernel.perf_event_paranoid, if the kernel has it.
std::optional<int> perf_paranoid();

}  // namespace bast_stacks
