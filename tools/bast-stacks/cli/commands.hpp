// SPDX-License-Identifier: Apache-2.0
//
// The commands: each reads, computes, writes, and returns its exit status.
#pragma once

#include <expected>
#include <string>

#include "cli/arguments.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks {

/// The exit status, or why there is none.
using outcome = std::expected<int, problem>;

outcome run_command(const arguments& with);
outcome top_command(const arguments& with);
outcome record_command(const arguments& with);
outcome report_command(const arguments& with);
outcome recommend_command(const arguments& with);
outcome flame_command(const arguments& with);
outcome static_command(const arguments& with);
outcome diff_command(const arguments& with);
outcome check_command(const arguments& with);
outcome export_command(const arguments& with);

/// A snapshot of the source on the command line, with named frames.
std::expected<snapshot, problem> look_at(const std::string& source, const arguments& with);

bool wants_json(const arguments& with);
/// Whether standard output is a terminal with colour, and the user has not disabled it.
bool wants_colour(const arguments& with);

/// `status`, if everything was written.
outcome after(const std::expected<void, problem>& written, int status = 0);
/// Writes to the place that --output names.
outcome write_output(const arguments& with, const std::string& text);

}  // namespace bast_stacks
