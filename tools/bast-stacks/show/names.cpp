// SPDX-License-Identifier: Apache-2.0
#include "show/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "model/clean_text.hpp"

namespace bast_stacks {
namespace {

/// The end of `path` with this many directories before the file.
std::string_view path_end(std::string_view path, std::size_t directories) noexcept {
  std::size_t at = path.size();
  for (std::size_t i = 0; i <= directories; ++i) {
    if (at == 0) return path;
    const std::size_t slash = path.rfind('/', at - 1);
    if (slash == path.npos) return path;
    at = slash;
  }
  return path.substr(at + 1);
}

std::string with_line(const site& of, std::string_view file) {
  return fmt::format("{}:{}", clean_text(file), of.line);
}

std::string name_with(const site& of, std::size_t directories) {
  if (of.kind != bast::watch::site_kind::source) return site_name(of);
  const std::string_view end = path_end(of.where, directories);
  return end.size() == of.where.size() ? site_name(of) : with_line(of, end);
}

/// Skips a bracketed part. Returns the index after the bracket that closes the one at `at`.
std::size_t behind_brackets(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    // The arrow of a return type does not close a bracket.
    const bool arrow = c == '>' && at != 0 && text[at - 1] == '-';
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if ((c == '>' && !arrow) || c == ')' || c == '}' || c == ']') {
      if (depth == 1) return at + 1;
      if (depth != 0) --depth;
    }
  }
  return text.size();
}

/// Whether these words after a bracket are the function's qualifiers and not part of its name.
bool ends_function(std::string_view rest) {
  return rest.empty() || rest.starts_with(" const") || rest.starts_with(" volatile") ||
         rest.starts_with(" &") || rest.starts_with(" [");
}

}  // namespace

std::string site_name(const site& of) {
  if (of.kind == bast::watch::site_kind::other) return "(other)";
  if (of.where.empty() && of.kind == bast::watch::site_kind::label) return "(unnamed)";
  const std::string cut = of.where_is_cut ? "..." : "";
  return cut + (of.kind == bast::watch::site_kind::source ? with_line(of, of.where)
                                                          : clean_text(of.where));
}

std::string short_site_name(const site& of) { return name_with(of, 0); }

std::vector<std::string> short_site_names(const std::vector<site>& sites) {
  // Sites with equal names get one more directory, until nothing changes.
  std::vector<std::string> names(sites.size());
  std::vector<std::size_t> open(sites.size());
  for (std::size_t i = 0; i < sites.size(); ++i) {
    names[i] = short_site_name(sites[i]);
    open[i] = i;
  }
  for (std::size_t directories = 1; !open.empty() && directories <= 16; ++directories) {
    std::unordered_map<std::string, std::size_t> seen;
    for (const std::size_t i : open) ++seen[names[i]];
    std::erase_if(open, [&](std::size_t i) { return seen[names[i]] == 1; });
    for (const std::size_t i : open) names[i] = name_with(sites[i], directories);
  }
  return names;
}

std::string short_function_name(std::string_view demangled) {
  constexpr std::string_view unnamed = "(anonymous namespace)::";
  constexpr std::string_view overload = "operator";
  // "(start of the stack)" and the like are not functions.
  if (demangled.starts_with('(') && !demangled.starts_with(unnamed)) return clean_text(demangled);
  std::string out;
  for (std::size_t at = 0; at < demangled.size();) {
    const std::string_view rest = demangled.substr(at);
    const bool begins = out.empty() || out.ends_with(':');
    if (rest.starts_with(unnamed)) {
      at += unnamed.size();
    } else if (begins && rest.starts_with(overload)) {
      // The symbols of an operator are part of its name, even if they are brackets.
      std::size_t end = std::min(rest.find('(', overload.size()), rest.size());
      if (rest.substr(end).starts_with("()")) end += 2;
      out += rest.substr(0, end);
      at += end;
    } else if (rest.starts_with('{')) {
      out += rest.starts_with("{lambda") ? "{lambda}" : "{}";
      at = behind_brackets(demangled, at);
    } else if (rest.starts_with('<') || rest.starts_with('(') || rest.starts_with('[')) {
      at = behind_brackets(demangled, at);
      if (rest.starts_with('(') && ends_function(demangled.substr(at))) break;
    } else if (rest.starts_with(' ')) {
      out.clear();  // it was the return type so far
      ++at;
    } else {
      out += rest.front();
      ++at;
    }
  }
  return clean_text(out.empty() ? demangled : std::string_view(out));
}

std::string frame_name(const frame& of) {
  const std::string function = short_function_name(of.function);
  std::string place;
  if (!of.file.empty()) {
    place = fmt::format("{}:{}", clean_text(path_end(of.file, 0)), of.line);
  } else if (!of.module.empty()) {
    place = fmt::format("{}+{:#x}", clean_text(path_end(of.module, 0)), of.module_offset);
  }
  if (function.empty()) return place.empty() ? fmt::format("{:#x}", of.pc) : place;
  return place.empty() ? function : fmt::format("{} ({})", function, place);
}

}  // namespace bast_stacks
