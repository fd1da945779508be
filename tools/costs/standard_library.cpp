// SPDX-License-Identifier: Apache-2.0
//
// The C++ standard library. std::regex recurses once for each character that it matches.
#include "costs.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace costs {
namespace {

void throw_and_catch() {
  try {
    throw std::runtime_error("caught");
  } catch (const std::exception& e) {
    keep(e);
  }
}
void stream_double() {
  std::ostringstream text;
  text << 1234.5678;
  keep(text.str());
}
void read_stream() {
  std::ifstream file("/proc/self/status");
  std::string line;
  std::getline(file, line);
  keep(line);
}
void sort_strings() {
  std::vector<std::string> words;
  for (int i = 0; i < 256; ++i) words.push_back(std::to_string((i * 7919) % 256));
  std::sort(words.begin(), words.end());
  keep(words);
}
void list_directory() {
  for (const auto& entry : std::filesystem::directory_iterator("/usr/share")) keep(entry);
}
void compile_regex() { keep(std::regex("([a-z]+)://([^/ ]+)(/[^ ]*)?")); }
void match(std::size_t length) {
  static const std::regex words("(a|b|ab)*c?");
  const std::string text(length, 'a');
  keep(std::regex_match(text, words));
}

}  // namespace

std::span<const call> standard_library() {
  static const call all[] = {
      {"throw and catch", "throw and catch, again", throw_and_catch},
      {"ostringstream << double", "ostringstream << double, again", stream_double},
      {"ifstream, getline", "ifstream, getline, again", read_stream},
      {"std::sort, 256 strings", "std::sort, 256 strings, again", sort_strings},
      {"directory_iterator", "directory_iterator, again", list_directory},
      {"std::regex, compile a URL pattern", "std::regex, compile a URL pattern, again",
       compile_regex},
      {"std::regex (a|b|ab)*, 60 characters", "std::regex (a|b|ab)*, 60 characters, again",
       [] { match(60); }},
      {"std::regex (a|b|ab)*, 1,000 characters", "std::regex (a|b|ab)*, 1,000 characters, again",
       [] { match(1000); }},
      {"std::regex (a|b|ab)*, 10,000 characters", "std::regex (a|b|ab)*, 10,000 characters, again",
       [] { match(10'000); }, 3},
  };
  return all;
}

}  // namespace costs
