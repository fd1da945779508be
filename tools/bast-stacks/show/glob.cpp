// SPDX-License-Identifier: Apache-2.0
#include "show/glob.hpp"

#include "model/mutant.hpp"
#include "show/names.hpp"

namespace bast_stacks {

bool glob_match(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0;
  std::size_t t = 0;
  // Where to retry after a mismatch behind the last star: the star takes one more character.
  std::size_t star = pattern.npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    const bool literal = p + 1 < pattern.size() && pattern[p] == '\\';
    const std::size_t at = literal ? p + 1 : p;
    if (at < pattern.size() && (pattern[at] == text[t] || (!literal && pattern[at] == '?'))) {
      p = at + 1;
      ++t;
    } else if (star != pattern.npos && !BAST_STACKS_MUTANT(star_matches_nothing)) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool site_matches(std::string_view pattern, const site& of) {
  const std::string whole = site_name(of);
  std::string_view name = whole;
  if (glob_match(pattern, name)) return true;
  if (of.kind != bast::watch::site_kind::source) return false;
  for (std::size_t slash = name.find('/'); slash != name.npos; slash = name.find('/')) {
    name.remove_prefix(slash + 1);
    if (glob_match(pattern, name)) return true;
  }
  return false;
}

std::string glob_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace bast_stacks
