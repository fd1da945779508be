// SPDX-License-Identifier: Apache-2.0
//
// Man pages. No date: the same program generates the same page.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "cli/help.hpp"
#include "cli/option_rows.hpp"
#include "cli/words.hpp"
#include "model/parse.hpp"

namespace bast_stacks {
namespace {

/// Text for roff: a backslash is an escape, a hyphen of an option must not be soft, and a line that
/// begins with a period or an apostrophe is a request.
std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_begins = c == '\n';
  }
  return out;
}

std::string description(std::string_view text) {
  std::string out;
  bool verbatim = false;
  const auto set_verbatim = [&](bool wanted) {
    if (wanted != verbatim) out += wanted ? ".PP\n.nf\n" : ".fi\n";
    verbatim = wanted;
  };
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!line.empty()) {
      set_verbatim(line.starts_with(' '));
      out += roff(line) + '\n';
    } else if (!verbatim) {
      out += ".PP\n";
    } else {
      set_verbatim(false);
      out += ".PP\n";
    }
  }
  set_verbatim(false);
  return out;
}

std::string options(const CLI::App& app) {
  std::string out;
  for (const option_row& row : option_rows(app)) {
    std::string head;
    for (const std::string& name : row.names)
      head += fmt::format("{}\\fB{}\\fR", head.empty() ? "" : ", ", roff(name));
    if (!row.value.empty())
      head += fmt::format("{}\\fI{}\\fR", head.empty() ? "" : " ", roff(row.value));
    out += fmt::format(".TP\n{}\n{}\n", head, roff(row.what));
  }
  return out;
}

}  // namespace

std::string page_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? "bast-stacks" : "bast-stacks-" + app.get_name();
}

std::string man_page(const CLI::App& app) {
  const bool whole = app.get_parent() == nullptr;
  const command_words& words = words_of(whole ? "" : app.get_name());
  std::string title = page_name(app);
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string out = fmt::format(
      ".\\\" SPDX-License-Identifier: Apache-2.0\n"
      ".\\\" Made by bast-stacks --generate from its own option table.\n"
      ".TH {} 1 \"\" bast \"bast\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}\n.SH DESCRIPTION\n{}",
      roff(title), roff(page_name(app)), roff(words.summary), roff(usage_of(app)),
      description(words.description));
  if (whole) {
    out += ".SH COMMANDS\n";
    for (const CLI::App* each : commands_of(app))
      out += fmt::format(".TP\n\\fB{}\\fR(1)\n{}\n", roff(page_name(*each)),
                         roff(each->get_description()));
  }
  out += ".SH OPTIONS\n" + options(app);
  out += ".SH EXIT STATUS\n";
  for (const std::string_view line : exit_status_words())
    out += fmt::format(".TP\n{}\n{}\n", line[0], roff(line.substr(2)));
  out += ".SH EXAMPLES\n";
  for (const example& each : words.examples)
    out += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(each.line), roff(each.what));
  out += ".SH SEE ALSO\n";
  if (!whole) out += "\\fBbast\\-stacks\\fR(1)\n";
  return out + (whole ? "The documentation of bast, docs/inspector.md\n" : "");
}

}  // namespace bast_stacks
