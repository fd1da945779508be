// SPDX-License-Identifier: Apache-2.0
//
// The command that analyses code: static.
#include "cli/advice.hpp"
#include "cli/commands.hpp"
#include "code/static.hpp"

namespace bast_stacks {

namespace {

std::expected<static_report, problem> report_of(const arguments& with) {
  if (with.joined.empty()) return analyse(static_options_of(with));
  const auto seen = look_at(with.joined, with);
  if (!seen.has_value()) return std::unexpected(seen.error());
  auto report = code_that_ran(*seen, with);
  if (report.has_value()) join(*report, *seen);
  return report;
}

}  // namespace

outcome static_command(const arguments& with) {
  if (with.frames) {
    const auto frames = frames_in(with.elf);
    if (!frames.has_value()) return std::unexpected(frames.error());
    return write_output(with, frames_text(*frames));
  }
  const auto report = report_of(with);
  if (!report.has_value()) return std::unexpected(report.error());
  return write_output(with, wants_json(with) ? static_json(*report)
                                             : static_text(*report, {.details = with.details}));
}

}  // namespace bast_stacks
