// SPDX-License-Identifier: Apache-2.0
#include "cli/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <new>

#include "bast/watch/abi.hpp"
#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/help.hpp"
#include "cli/option_rows.hpp"
#include "cli/stream.hpp"
#include "model/clean_text.hpp"

namespace bast_stacks {
namespace {

constexpr int usage_status = 2;
constexpr int failure_status = 3;

using action = outcome (*)(const arguments&);
const std::map<std::string, action> actions = {
    {"run", run_command},
    {"top", top_command},
    {"record", record_command},
    {"report", report_command},
    {"recommend", recommend_command},
    {"flame", flame_command},
    {"static", static_command},
    {"diff", diff_command},
    {"check", check_command},
    {"export", export_command},
};

/// The words after the first "--" belong to the program that `run` starts.
void split_command_line(std::vector<std::string>& words, arguments& into) {
  if (words.empty() || words.front() != "run") return;
  const auto dashes = std::ranges::find(words, "--");
  if (dashes == words.end()) return;
  into.command_line.assign(dashes + 1, words.end());
  words.erase(dashes, words.end());
}

/// "bast-stacks 4711" is "bast-stacks report 4711": a word that is not a command and may be a
/// source. Returns whether the first word is valid.
bool add_default_command(std::vector<std::string>& words) {
  if (words.empty() || actions.contains(words.front())) return true;
  const std::string& first = words.front();
  std::error_code ignored;
  const bool number = first.find_first_not_of("0123456789") == first.npos;
  if (first == "-" || number || std::filesystem::exists(first, ignored)) {
    words.insert(words.begin(), "report");
    return true;
  }
  return first.starts_with('-');
}

int print_version() {
  fmt::print("bast-stacks {}, registry ABI {}.{}\n", BAST_STACKS_VERSION,
             bast::watch::version_major, bast::watch::version_minor);
  return 0;
}

/// man DIRECTORY: one page per command. completion SHELL: to standard output.
outcome generate(const CLI::App& app, const arguments& with) {
  const std::string& what = with.generate[0];
  const std::string& where = with.generate[1];
  if (what == "completion") {
    const std::string text = completion(app, where);
    if (!text.empty()) return after(write_all("-", text));
    return std::unexpected(problem{usage_status, "expected bash, zsh or fish", {}});
  }
  if (what != "man")
    return std::unexpected(problem{usage_status, "expected man or completion", {}});
  std::vector<const CLI::App*> pages = commands_of(app);
  pages.push_back(&app);
  for (const CLI::App* const page : pages) {
    const auto written =
        write_all(fmt::format("{}/{}.1", where, page_name(*page)), man_page(*page));
    if (!written.has_value()) return std::unexpected(written.error());
  }
  return 0;
}

int complain(const problem& why) {
  // Messages quote input and arguments.
  fmt::print(stderr, "bast-stacks: {}\n", clean_text(why.what));
  if (!why.remedy.empty()) fmt::print(stderr, "  try: {}\n", clean_text(why.remedy));
  return why.status;
}

int act(const CLI::App& app, const arguments& with) {
  if (with.version) return print_version();
  const outcome result = [&]() -> outcome {
    if (!with.generate.empty()) return generate(app, with);
    const std::vector<CLI::App*> chosen = app.get_subcommands();
    if (!chosen.empty()) return actions.at(chosen.front()->get_name())(with);
    fmt::print(stderr, "{}", help_text(app));
    return usage_status;
  }();
  return result.has_value() ? *result : complain(result.error());
}

int complain_of_usage(const CLI::App& app, const CLI::ParseError& failure) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "" : chosen.front()->get_name() + ' ';
  return complain({usage_status, failure.what(), fmt::format("bast-stacks {}--help", command)});
}

}  // namespace

int run_bast_stacks(std::vector<std::string> words) {
  CLI::App app("", "bast-stacks");
  app.formatter(std::make_shared<help_formatter>());
  arguments with;
  try {
    declare(app, with);
    split_command_line(words, with);
    if (!add_default_command(words)) {
      return complain(
          {usage_status,
           fmt::format("\"{}\" is neither a command nor a process or file", words.front()),
           "bast-stacks --help"});
    }
    std::ranges::reverse(words);  // CLI11 takes them from the end.
    app.parse(words);
    return act(app, with);
  } catch (const CLI::CallForHelp&) {
    const std::vector<CLI::App*> chosen = app.get_subcommands();
    const std::string text = help_text(chosen.empty() ? app : *chosen.front());
    const auto written = write_all("-", text);
    return written.has_value() ? 0 : complain(written.error());
  } catch (const CLI::ParseError& failure) {
    return complain_of_usage(app, failure);
  } catch (const std::bad_alloc&) {
    return complain({failure_status, "out of memory", {}});
  } catch (const std::exception& failure) {
    return complain({failure_status, failure.what(), {}});
  }
}

}  // namespace bast_stacks
