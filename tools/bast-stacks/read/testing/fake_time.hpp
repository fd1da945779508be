// SPDX-License-Identifier: Apache-2.0
//
// `fake_time`: the monotonic clock of this thread, set by a test. It stands still, except for a
// step at each query.
#pragma once

#include <time.h>

#include "read/testing/faulty_calls.hpp"

namespace bast_stacks::testing {

struct fake_time {
  long now_ns = 5'000'000'000;
  long step_ns = 0;

  answered_call clock{called::clock_gettime, [this](const auto& given) -> std::optional<long> {
                        if (static_cast<clockid_t>(given[0]) != CLOCK_MONOTONIC)
                          return std::nullopt;
                        now_ns += step_ns;
                        *reinterpret_cast<timespec*>(given[1]) = {
                            .tv_sec = now_ns / 1'000'000'000, .tv_nsec = now_ns % 1'000'000'000};
                        return 0;
                      }};
};

}  // namespace bast_stacks::testing
