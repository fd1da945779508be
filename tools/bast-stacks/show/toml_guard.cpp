// SPDX-License-Identifier: Apache-2.0
#include "show/toml_guard.hpp"

#include <algorithm>
#include <utility>

namespace bast_stacks {
namespace {

/// Whether a text that begins with a bracket is a table's head with a key after the brackets.
bool is_good_head(std::string_view rest) {
  const auto skip_blanks = [&] {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  };
  rest.remove_prefix(1);
  skip_blanks();
  if (rest.starts_with('[')) rest.remove_prefix(1);
  skip_blanks();
  if (rest.empty()) return false;
  const char c = rest.front();
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_\"']").find(c) != std::string_view::npos;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
}

/// The length of the string or comment at the start of `text`; 0 if there is neither. An
/// unterminated string ends with its line: toml++ reads no further.
std::size_t quoted_length(std::string_view text) {
  const char quote = text.front();
  if (quote == '#') return std::min(text.find_first_of("\r\n"), text.size());
  if (quote != '"' && quote != '\'') return 0;
  std::size_t at = 1;
  while (at < text.size() && text[at] != '\n' && text[at] != '\r') {
    if (text[at] == quote) return at + 1;
    const bool escape = quote == '"' && text[at] == '\\' && at + 1 < text.size() &&
                        text[at + 1] != '\n' && text[at + 1] != '\r';
    at += escape ? 2 : 1;
  }
  return at;
}

}  // namespace

std::optional<toml_flaw> find_toml_flaw(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  toml_flaw place;
  const auto flaw = [&](const char* what) {
    place.what = what;
    return place;
  };
  char before = '\n';
  bool line_begins = true;
  bool has_value = false;
  bool head = false;  // within a table's head, the only place for brackets
  while (!text.empty()) {
    const char c = text.front();
    if (line_begins) head = c == '[';
    if (c == '\n' || c == '\r') has_value = false;
    if (c == '=' && std::exchange(has_value, true)) return flaw("expected one value");
    if (line_begins && c == '[' && !is_good_head(text)) return flaw("expected [[budget]]");
    if (!head && std::string_view("[]{}").find(c) != std::string_view::npos)
      return flaw("expected a string or a number");
    if (static_cast<unsigned char>(c) >= 0x80) return flaw("expected a key in ASCII, or quotes");
    if (text.starts_with("\"\"\"") || text.starts_with("'''"))
      return flaw("expected a string on one line");
    // Within a word a quote does not begin a string, and the text after it would not be in one. A
    // point separates the words of a key, and may be inside a number.
    const std::string_view parts = has_value ? "= \t\r\n" : "[. \t\r\n";
    if ((c == '"' || c == '\'') && parts.find(before) == parts.npos)
      return flaw("expected a string or a number");
    const std::size_t length = std::max<std::size_t>(1, quoted_length(text));
    for (const char each : text.substr(0, length)) {
      if (is_control(each)) return flaw("a control character");
      ++place.column;
      if (each == '\n') {
        ++place.line;
        place.column = 1;
      }
    }
    const bool blank = c == ' ' || c == '\t';
    line_begins = c == '\n' || c == '\r' || (blank && line_begins);
    before = text[length - 1];
    text.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace bast_stacks
