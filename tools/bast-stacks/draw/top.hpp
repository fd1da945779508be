// SPDX-License-Identifier: Apache-2.0
//
// `top`: the sites of a process on a terminal, looked at again and again.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <string>

#include "model/snapshot.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {

struct top_options {
  std::chrono::milliseconds refresh{2000};  // from the end of one look to the next; at least 100
  bool colour = true;
  recommend_options recommend{};
};

/// Shows what `look` sees until the user quits; returns the exit status of the program. `look` is
/// called from another thread, never twice at once, so that keys are answered while it looks; once
/// the process has ended its last picture stays.
///
/// Errors: there is no terminal that can place a cursor; the first look failed. The terminal is as
/// it was in the end, also when SIGTERM or SIGHUP ends the program; from then on those do what they
/// did before.
std::expected<int, problem> run_top(const std::function<std::expected<snapshot, problem>()>& look,
                                    const top_options& options = {});

}  // namespace bast_stacks
