// SPDX-License-Identifier: Apache-2.0
#include "cli/option_rows.hpp"

#include <fmt/format.h>

namespace bast_stacks {

std::vector<option_row> option_rows(const CLI::App& app) {
  std::vector<option_row> positional;
  std::vector<option_row> named;
  option_row help;
  for (const CLI::Option* const option : app.get_options()) {
    if (option->get_group().empty()) continue;
    option_row row;
    row.what = option->get_description();
    if (option->get_expected_max() != 0) row.value = option->get_type_name();
    if (option->get_positional()) {
      positional.push_back(std::move(row));
      continue;
    }
    for (const std::string& name : option->get_snames()) row.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) row.names.push_back("--" + name);
    if (option == app.get_help_ptr()) {
      help = std::move(row);
    } else {
      named.push_back(std::move(row));
    }
  }
  named.push_back(std::move(help));
  std::ranges::move(named, std::back_inserter(positional));
  return positional;
}

std::string usage_of(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "bast-stacks [COMMAND] [OPTION]... SOURCE";
  std::string usage = fmt::format("bast-stacks {} [OPTION]...", app.get_name());
  for (const option_row& row : option_rows(app)) {
    if (row.names.empty()) usage += ' ' + row.value;
  }
  if (app.get_name() == "diff") return "bast-stacks diff [OPTION]... OLD NEW";
  if (app.get_name() == "run") usage += " -- PROGRAM [ARGUMENT]...";
  return usage;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

}  // namespace bast_stacks
