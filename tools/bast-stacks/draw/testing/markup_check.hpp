// SPDX-License-Identifier: Apache-2.0
//
// Checks that a text is well-formed: every tag closed in order, every attribute quoted, every
// ampersand an entity, no control characters. Supports the subset of XML that our pictures and
// pages use, and the void elements of HTML.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace bast_stacks::sample {

/// Returns what is wrong, or empty.
inline std::string malformed(std::string_view text) {
  constexpr std::array<std::string_view, 4> empty_elements{"meta", "br", "link", "hr"};
  constexpr std::array<std::string_view, 5> entities{"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  const auto near = [&](std::size_t at) { return std::string(text.substr(at, 60)); };
  std::vector<std::string_view> open;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) < 0x20 && text[i] != '\n')
      return "control character before " + near(i + 1);
    if (text[i] == '&' && std::ranges::none_of(entities, [&](std::string_view each) {
          return text.substr(i).starts_with(each);
        }))
      return "bare ampersand: " + near(i);
    if (text[i] == '>') return "bare >: " + near(i);
    if (text[i] != '<') continue;
    if (text.substr(i).starts_with("<!DOCTYPE")) {
      i = text.find('>', i);
      continue;
    }
    const std::size_t begin = i;
    const bool closing = text.substr(i + 1, 1) == "/";
    std::size_t end = text.find_first_of(" \n/>", i + (closing ? 2 : 1));
    if (end == std::string_view::npos) return "tag without end: " + near(begin);
    const std::string_view name = text.substr(i + (closing ? 2 : 1), end - i - (closing ? 2 : 1));
    if (name.empty()) return "bare <: " + near(begin);
    bool quoted = false;
    for (; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '<') return "< in a tag: " + near(begin);
    }
    if (end >= text.size()) return "tag without end: " + near(begin);
    i = end;
    if (closing) {
      if (open.empty() || open.back() != name) return "closed out of order: " + near(begin);
      open.pop_back();
    } else if (text[end - 1] != '/' &&
               std::ranges::find(empty_elements, name) == empty_elements.end()) {
      open.push_back(name);
      if (name == "script" || name == "style") {  // their content is not markup
        const std::size_t close = text.find(std::string("</").append(name), end);
        if (close == std::string_view::npos) return "not closed: " + near(begin);
        i = close - 1;
      }
    }
  }
  return open.empty() ? std::string() : "not closed: " + std::string(open.back());
}

}  // namespace bast_stacks::sample
