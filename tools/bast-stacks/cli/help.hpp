// SPDX-License-Identifier: Apache-2.0
//
// Help, man pages and shell completion, from arguments.cpp and words.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace bast_stacks {

/// Help for the program or, of its commands, for `app`; an example comes first.
std::string help_text(const CLI::App& app);

/// Makes CLI11 print that.
class help_formatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    return help_text(*app);
  }
};

/// The man page in roff: "bast-stacks.1" or "bast-stacks-report.1".
std::string man_page(const CLI::App& app);
/// "bast-stacks-report".
std::string page_name(const CLI::App& app);

/// A completion script for bash, zsh or fish; empty for another shell.
std::string completion(const CLI::App& app, const std::string& shell);

}  // namespace bast_stacks
