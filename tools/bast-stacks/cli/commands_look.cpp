// SPDX-License-Identifier: Apache-2.0
//
// Commands that look at a program: run, top, record; and how all others get their snapshot.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli/advice.hpp"
#include "cli/commands.hpp"
#include "cli/stream.hpp"
#include "code/symbols.hpp"
#include "draw/top.hpp"
#include "model/parse.hpp"
#include "model/recording.hpp"
#include "read/accumulate.hpp"
#include "read/open.hpp"
#include "read/record.hpp"
#include "read/run.hpp"
#include "show/report.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t recording_bytes_max = std::size_t{1} << 30;

std::expected<pid_t, problem> process_of(const std::string& text) {
  const auto pid = number_in<pid_t>(text);
  if (pid && *pid > 0) return *pid;
  return std::unexpected(problem{2, "\"" + text + "\" is no number of a process", "pidof PROGRAM"});
}

}  // namespace

std::expected<snapshot, problem> look_at(const std::string& source, const arguments& with) {
  if (source == "-") {
    const auto text = read_all("-", recording_bytes_max);
    if (!text.has_value()) return std::unexpected(text.error());
    return from_json(*text, "standard input");
  }
  auto seen = open_any(source, {.live_stacks = !with.no_live, .program = with.program});
  if (seen.has_value() && seen->from != source_kind::recording) name_frames(*seen);
  return seen;
}

bool wants_json(const arguments& with) { return with.json || with.format == "json"; }

/// Colour only on a terminal, unless disabled: https://no-color.org
bool wants_colour(const arguments& with) {
  const char* const refused = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  if (refused != nullptr && *refused != '\0') return false;
  if (terminal == nullptr || std::string_view(terminal) == "dumb") return false;
  return with.output == "-" && ::isatty(STDOUT_FILENO) == 1;
}

outcome after(const std::expected<void, problem>& written, int status) {
  if (!written.has_value()) return std::unexpected(written.error());
  return status;
}

outcome write_output(const arguments& with, const std::string& text) {
  return after(write_all(with.output, text));
}

outcome run_command(const arguments& with) {
  if (with.command_line.empty())
    return std::unexpected(problem{2, "no program: write it after --", "bast-stacks run -- ls"});
  auto ended = run_program(with.command_line, {.deepest = with.deepest});
  if (!ended.has_value()) return std::unexpected(ended.error());
  name_frames(ended->seen);
  for (snapshot& other : ended->others) {
    name_frames(other);
    unite(ended->seen, std::move(other));
  }
  if (with.output == "-") {
    // Standard output is the program's.
    std::fputs(report_text(ended->seen).c_str(), stderr);
    return ended->status;
  }
  return after(write_all(with.output, to_json(ended->seen)), ended->status);
}

outcome top_command(const arguments& with) {
  const auto look = [&] { return look_at(with.source, with); };
  constexpr std::chrono::milliseconds least(100);
  const auto every = std::chrono::duration_cast<std::chrono::milliseconds>(
      with.every.value_or(std::chrono::seconds(2)));
  return run_top(look, {.refresh = std::max(least, every),
                        .colour = wants_colour(with),
                        .recommend = confidence_of(with)});
}

outcome record_command(const arguments& with) {
  const auto pid = process_of(with.source);
  if (!pid.has_value()) return std::unexpected(pid.error());
  record_options options{.pid = *pid, .duration = with.duration, .deepest = with.deepest};
  if (with.every.has_value()) options.every = *with.every;
  auto seen = record(options);
  if (!seen.has_value()) return std::unexpected(seen.error());
  name_frames(*seen);
  return write_output(with, to_json(*seen));
}

}  // namespace bast_stacks
