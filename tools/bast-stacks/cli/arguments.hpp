// SPDX-License-Identifier: Apache-2.0
//
// The command line: every command and option is declared once, here; help, man pages and shell
// completion are generated from that.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace bast_stacks {

/// The values of the options of all commands; each command uses its own.
struct arguments {
  std::string source;  // a process, a core file, a recording, "-"
  std::string other;   // diff: the newer of the two
  std::string output = "-";
  std::string format;  // empty: the command's own
  bool json = false;
  bool exact_bytes = false;
  bool all = false;
  bool no_live = false;
  std::string program;  // of a core file

  std::string by = "site";
  std::string sort = "margin";
  std::optional<std::size_t> top;
  std::string site;  // a glob

  double confidence = 95;           // per cent
  std::optional<double> quantile;   // per cent
  std::vector<std::string> bounds;  // "GLOB=SIZE"
  bool asks_for_advice = false;     // one of these, or --static, was given

  std::optional<std::chrono::nanoseconds> duration;  // without: until interrupted
  std::optional<std::chrono::nanoseconds> every;     // without: the command's default
  bool deepest = false;

  std::string budget;
  bool update = false;
  double margin = 10;  // per cent
  bool exit_code = false;

  std::string elf;  // the file to analyse
  std::vector<std::string> roots;
  std::vector<std::string> annotations;
  bool no_default_annotations = false;
  std::vector<std::string> stack_usage;
  std::string joined;  // the source of measurements to compare with
  bool details = false;
  bool frames = false;

  std::vector<std::string> command_line;  // run: the words after "--"
  bool version = false;
  std::vector<std::string> generate;  // man DIRECTORY, completion SHELL
};

/// Declares all commands; parsing fills `into`, which must outlive `app`.
void declare(CLI::App& app, arguments& into);

/// "60s", "1.5 min", "200ms". The returned text names the expected form.
std::expected<std::chrono::nanoseconds, std::string> parse_duration(const std::string& text);

/// The values of an option with a fixed set, from its type's name, "a|b|c".
std::vector<std::string> choices_of(const CLI::Option& option);

}  // namespace bast_stacks
