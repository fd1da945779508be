// SPDX-License-Identifier: Apache-2.0
#include "cli/help.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/option_rows.hpp"
#include "cli/words.hpp"
#include "model/parse.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t width = 80;

const command_words& words_for(const CLI::App& app) {
  return words_of(app.get_parent() == nullptr ? "" : app.get_name());
}

/// `text` in lines of at most `width` columns; those after the first begin with `indent` spaces.
/// Keeps a line that begins with a space.
std::string filled(std::string_view text, std::size_t indent, std::size_t column) {
  std::string out;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (!first && column + 1 + word.size() > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
      first = true;
    }
    if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    first = false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// Keeps lines that are indented in the source, and fills all others.
std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    out += line.starts_with(' ') ? std::string(line) : filled(line, 0, 0);
    out += '\n';
  }
  return out;
}

std::string options_text(const CLI::App& app) {
  constexpr std::size_t column = 26;
  std::string out;
  for (const option_row& row : option_rows(app)) {
    std::string left =
        row.names.empty() ? row.value : fmt::format("{}", fmt::join(row.names, ", "));
    if (!row.names.empty() && !row.value.empty()) left += ' ' + row.value;
    left = "  " + left;
    left += left.size() + 2 > column ? '\n' + std::string(column, ' ')
                                     : std::string(column - left.size(), ' ');
    out += left + filled(row.what, column, column) + '\n';
  }
  return out;
}

}  // namespace

std::string help_text(const CLI::App& app) {
  const command_words& words = words_for(app);
  std::string out;
  for (const example& each : words.examples)
    out += fmt::format("  {}\n      {}\n", each.line, each.what);
  out += fmt::format("\nusage: {}\n\n{}", usage_of(app), paragraphs(words.description));
  if (app.get_parent() == nullptr) {
    out += "\ncommands:\n";
    for (const CLI::App* each : commands_of(app))
      out += fmt::format("  {:<11}{}\n", each->get_name(), each->get_description());
    out += "\nEach has its own --help. Exit status:\n";
    for (const char* const line : exit_status_words()) out += fmt::format("  {}\n", line);
  } else {
    out += '\n' + options_text(app);
  }
  return out;
}

}  // namespace bast_stacks
