// SPDX-License-Identifier: Apache-2.0
//
// The options of a command in the form of help and man pages.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace bast_stacks {

struct option_row {
  std::vector<std::string> names;  // "-o", "--output"; empty: by position
  std::string value;               // "FILE"; empty for a flag
  std::string what;
};

/// Positional ones first, each in the order of declaration, --help last; without hidden ones.
std::vector<option_row> option_rows(const CLI::App& app);

/// "bast-stacks report [OPTION]... SOURCE"
std::string usage_of(const CLI::App& app);

/// The commands, in the order of declaration.
std::vector<const CLI::App*> commands_of(const CLI::App& app);

}  // namespace bast_stacks
