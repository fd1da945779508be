// SPDX-License-Identifier: Apache-2.0
//
// The command that looks at code: static.
#include "cli/advice.hpp"
#include "cli/commands.hpp"
#include "code/static.hpp"

namespace bast_stacks {

outcome static_command(const arguments& with) {
  if (with.frames) {
    const auto frames = frames_in(with.elf);
    if (!frames.has_value()) return std::unexpected(frames.error());
    return write_output(with, frames_text(*frames));
  }
  auto report = analyse(static_options_of(with));
  if (!report.has_value()) return std::unexpected(report.error());
  if (!with.joined.empty()) {
    const auto seen = look_at(with.joined, with);
    if (!seen.has_value()) return std::unexpected(seen.error());
    join(*report, *seen);
  }
  return write_output(with, wants_json(with) ? static_json(*report)
                                             : static_text(*report, {.details = with.details}));
}

}  // namespace bast_stacks
