// SPDX-License-Identifier: Apache-2.0
//
// Shell completion: commands, options, the values of options with a fixed set, else files.
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/help.hpp"
#include "cli/option_rows.hpp"

namespace bast_stacks {
namespace {

std::string command_names(const CLI::App& app) {
  std::string out;
  for (const CLI::App* each : commands_of(app)) out += (out.empty() ? "" : " ") + each->get_name();
  return out;
}

std::string option_names(const CLI::App& app) {
  std::string out;
  for (const option_row& row : option_rows(app)) {
    for (const std::string& name : row.names) out += (out.empty() ? "" : " ") + name;
  }
  return out;
}

/// The options of `app` with a fixed set of values: name and values.
std::vector<std::pair<std::string, std::string>> choices(const CLI::App& app) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const CLI::Option* const option : app.get_options()) {
    const std::vector<std::string> values = choices_of(*option);
    if (!values.empty())
      result.emplace_back("--" + option->get_lnames().front(),
                          fmt::format("{}", fmt::join(values, " ")));
  }
  return result;
}

std::string bash(const CLI::App& app) {
  std::string out = fmt::format(
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# bash completion for bast-stacks\n"
      "_bast_stacks() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
      "  local words=\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    words='{} --help --version'\n"
      "  else\n"
      "    case ${{COMP_WORDS[1]}} in\n",
      command_names(app));
  for (const CLI::App* each : commands_of(app)) {
    out += fmt::format("      {})\n        case $before in\n", each->get_name());
    for (const auto& [name, values] : choices(*each))
      out += fmt::format("          {}) words='{}' ;;\n", name, values);
    out += fmt::format("          *) [[ $word == -* ]] && words='{}' ;;\n        esac ;;\n",
                       option_names(*each));
  }
  return out +
         "    esac\n"
         "  fi\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "}\n"
         "complete -o default -F _bast_stacks bast-stacks\n";
}

/// Within single quotes; in zsh's lists of candidates a colon and brackets are special.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (special.find(c) != special.npos) out += '\\';
    out += c;
  }
  return out;
}

std::string zsh(const CLI::App& app) {
  std::string out =
      "#compdef bast-stacks\n"
      "# SPDX-License-Identifier: Apache-2.0\n"
      "_bast_stacks() {\n"
      "  local -a commands=(\n";
  for (const CLI::App* each : commands_of(app))
    out += fmt::format("    '{}:{}'\n", each->get_name(), escaped(each->get_description(), ":\\"));
  out +=
      "  )\n"
      "  if ((CURRENT == 2)); then\n"
      "    _describe command commands\n"
      "    _files\n"
      "    return\n"
      "  fi\n"
      "  case $words[2] in\n";
  for (const CLI::App* each : commands_of(app)) {
    out += fmt::format("    {})\n      _arguments \\\n", each->get_name());
    for (const CLI::Option* const option : each->get_options()) {
      if (option->get_group().empty() || option->get_positional()) continue;
      const std::string what = escaped(option->get_description(), "[]:\\");
      for (const std::string& name : option->get_lnames()) {
        std::string value;
        if (option->get_expected_max() != 0) {
          const std::vector<std::string> values = choices_of(*option);
          value = fmt::format(
              ": :{}", values.empty() ? "_files" : fmt::format("({})", fmt::join(values, " ")));
        }
        out += fmt::format("        '--{}[{}]{}' \\\n", name, what, value);
      }
    }
    out += "        '*:source:_files' ;;\n";
  }
  return out + "  esac\n}\n_bast_stacks \"$@\"\n";
}

std::string fish(const CLI::App& app) {
  std::string out =
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# fish completion for bast-stacks\n";
  const std::string names = command_names(app);
  for (const CLI::App* each : commands_of(app)) {
    out += fmt::format(
        "complete -c bast-stacks -n 'not __fish_seen_subcommand_from {}' -a {} -d '{}'\n", names,
        each->get_name(), escaped(each->get_description(), "\\"));
  }
  for (const CLI::App* each : commands_of(app)) {
    for (const CLI::Option* const option : each->get_options()) {
      if (option->get_group().empty() || option->get_positional()) continue;
      const std::vector<std::string> values = choices_of(*option);
      for (const std::string& name : option->get_lnames()) {
        out +=
            fmt::format("complete -c bast-stacks -n '__fish_seen_subcommand_from {}' -l {} -d '{}'",
                        each->get_name(), name, escaped(option->get_description(), "\\"));
        if (!values.empty()) {
          out += fmt::format(" -x -a '{}'", fmt::join(values, " "));
        } else if (option->get_expected_max() != 0) {
          out += " -r";
        }
        out += '\n';
      }
    }
  }
  return out;
}

}  // namespace

std::string completion(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash(app);
  if (shell == "zsh") return zsh(app);
  if (shell == "fish") return fish(app);
  return {};
}

}  // namespace bast_stacks
