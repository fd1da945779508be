// SPDX-License-Identifier: Apache-2.0
//
// PCRE2, with patterns that made PCRE1 overflow stacks. Since 10.30 it keeps its backtracking on
// the heap, as the table shows; its compiler recurses over nested groups.
#include "costs.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdexcept>
#include <string>

namespace costs {
namespace {

pcre2_code* compile(const std::string& pattern) {
  int problem = 0;
  PCRE2_SIZE where = 0;
  pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                         pattern.size(), 0, &problem, &where, nullptr);
  if (code == nullptr) throw std::runtime_error("pcre2_compile " + std::to_string(problem));
  return code;
}

void match(const std::string& pattern, const std::string& text) {
  pcre2_code* const code = compile(pattern);
  pcre2_match_data* const data = pcre2_match_data_create_from_pattern(code, nullptr);
  keep(pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data,
                   nullptr));
  pcre2_match_data_free(data);
  pcre2_code_free(code);
}

std::string nested_groups(int depth) {
  return std::string(static_cast<std::size_t>(depth), '(') + "a" +
         std::string(static_cast<std::size_t>(depth), ')');
}

}  // namespace

std::span<const call> pcre() {
  static const call all[] = {
      {"PCRE2: a URL", "PCRE2: a URL, again",
       [] { match("([a-z]+)://([^/ ]+)(/[^ ]*)?", "see https://example.org/a/page for it"); }},
      {"PCRE2: (a|b|ab)*, 10,000 characters", "PCRE2: (a|b|ab)*, 10,000 characters, again",
       [] { match("(a|b|ab)*c?", std::string(10'000, 'a')); }},
      {"PCRE2: (x+x+)+y, gives up", "PCRE2: (x+x+)+y, gives up, again",
       [] { match("(x+x+)+y", std::string(40, 'x')); }, 2},
      {"PCRE2: 200 nested groups", "PCRE2: 200 nested groups, again",
       [] { match(nested_groups(200), "a"); }},
  };
  return all;
}

}  // namespace costs
