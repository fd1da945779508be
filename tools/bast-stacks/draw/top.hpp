// SPDX-License-Identifier: Apache-2.0
//
// `top`: the sites of a process on a terminal, refreshed continuously.
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
  std::chrono::milliseconds refresh{2000};  // between two looks; at least 100
  bool colour = true;
  recommend_options recommend{};
};

/// Shows what `look` returns until the user quits; returns the exit status of the program. Calls
/// `look` on another thread, never concurrently, so that keys work in the meantime. Once the
/// process has ended, its last state stays on the screen.
///
/// Errors: no terminal that can place a cursor; the first look failed. Restores the terminal at the
/// end, also when SIGTERM or SIGHUP ends the program, and then restores the actions of those
/// signals.
std::expected<int, problem> run_top(const std::function<std::expected<snapshot, problem>()>& look,
                                    const top_options& options = {});

}  // namespace bast_stacks
