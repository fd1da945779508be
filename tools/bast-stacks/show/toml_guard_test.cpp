// SPDX-License-Identifier: Apache-2.0
#include "show/toml_guard.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace bast_stacks {
namespace {

std::string flaw_in(std::string_view text) {
  const auto found = find_toml_flaw(text);
  return found ? fmt::format("{}:{} {}", found->line, found->column, found->what) : "none";
}

/// The bytes of 0..255 for which `make` gives no flaw: "20-7e".
template <class Make>
std::string accepted(Make make) {
  std::string text;
  int from = -1;
  for (int byte = 0; byte <= 256; ++byte) {
    const bool good = byte < 256 && !find_toml_flaw(make(static_cast<char>(byte)));
    if (good && from < 0) from = byte;
    if (good || from < 0) continue;
    text += text.empty() ? "" : " ";
    text += from == byte - 1 ? fmt::format("{:02x}", from)
                             : fmt::format("{:02x}-{:02x}", from, byte - 1);
    from = -1;
  }
  return text;
}

std::string between(const char* before, char c, const char* behind) {
  return std::string(before) + c + behind;
}

TEST(TomlGuard, WhichBytesMayBeWhere) {
  EXPECT_EQ(accepted([](char c) { return between("a = 1", c, "2\n"); }),
            "09-0a 0d 20-21 23-26 28-3c 3e-5a 5c 5e-7a 7c 7e");
  EXPECT_EQ(accepted([](char c) { return between("a = \"", c, "\"\n"); }),
            "09-0a 0d 20-21 23-7e 80-ff");
  EXPECT_EQ(accepted([](char c) { return between("a = '", c, "'\n"); }),
            "09-0a 0d 20-26 28-7e 80-ff");
  EXPECT_EQ(accepted([](char c) { return between("# ", c, "\n"); }), "09-0a 0d 20-7e 80-ff");
  EXPECT_EQ(accepted([](char c) { return between("[", c, "]\n"); }),
            "09 20 22 27 2d 30-39 41-5b 5d 5f 61-7a");
  EXPECT_EQ(accepted([](char c) { return between("[[", c, "]]\n"); }),
            "09 20 22 27 2d 30-39 41-5a 5d 5f 61-7a");
}

TEST(TomlGuard, NamesTheFirstPlaceThatIsWrong) {
  const std::pair<std::string, std::string> all[] = {
      {"", "none"},
      {"a = 1\nb = \"x\"\n", "none"},
      {"\xef\xbb\xbf"
       "a = 1\n",
       "none"},
      {"\xef\xbb"
       "a = 1\n",
       "1:1 expected a key in ASCII, or quotes"},
      {"a\xef\xbb\xbf = 1\n", "1:2 expected a key in ASCII, or quotes"},
      {"a = 1 = 2\n", "1:7 expected one value"},
      {"a = 1\nb = 2\n", "none"},
      {"a = 1\rb = 2\n", "none"},
      {"a = \"=\" = 1\n", "1:9 expected one value"},
      {"# = =\na = 1\n", "none"},
      {"[budget]\n", "none"},
      {"[[budget]]\n", "none"},
      {"  [[ budget ]]\n", "none"},
      {"\t[\t[\tbudget\t]\t]\n", "none"},
      {"[", "1:1 expected [[budget]]"},
      {"[[", "1:1 expected [[budget]]"},
      {"[ [ ", "1:1 expected [[budget]]"},
      {"\n  [=]\n", "2:3 expected [[budget]]"},
      {"a = [1]\n", "1:5 expected a string or a number"},
      {"a = {}\n", "1:5 expected a string or a number"},
      {"a = 8.'\xc3\xb5'\n", "1:7 expected a string or a number"},
      {"a.'\xc3\xb5' = 8\n", "none"},
      {"a = '\xc3\xb5'\n", "none"},
      {"a]\n", "1:2 expected a string or a number"},
      {"a}\n", "1:2 expected a string or a number"},
      {"[a]\nb = [\n", "2:5 expected a string or a number"},
      {"[a] {\n", "none"},
      {"a = \"\"\"x\"\"\"\n", "1:5 expected a string on one line"},
      {"a = '''x'''\n", "1:5 expected a string on one line"},
      {"a = \"\"\n", "none"},
      {"a = ''\n", "none"},
      {"a = \"\" \"\"\n", "none"},
      {"a = x\"y\"\n", "1:6 expected a string or a number"},
      {"a = x'y'\n", "1:6 expected a string or a number"},
      {"a.\"b\" = 1\n", "none"},
      {"a.'b' = 1\n", "none"},
      {"a =\"b\"\n", "none"},
      {"a =\t\"b\"\n", "none"},
      {"[\"b\"]\n", "none"},
      {"a =\r'b'\n", "none"},
      {"\"b\" = 1\n", "none"},
      {"a = \"\"'\n", "1:7 expected a string or a number"},
      {"a = \"\\\"\" [\n", "1:10 expected a string or a number"},
      {"a = '\\' [\n", "1:9 expected a string or a number"},
      {"a = \"\\\\\" [\n", "1:10 expected a string or a number"},
      {"a = \"[\n[b]\n", "none"},
      {"a = \"[\r[b]\n", "none"},
      {"a = \"[\\\n[=]\n", "2:1 expected [[budget]]"},
      {"a = \"[\\\r[=]\n", "1:9 expected [[budget]]"},
      {"a = \"[\\", "none"},
      {"a = \"[", "none"},
      {"a = '[\n[=]\n", "2:1 expected [[budget]]"},
      {"# [\n[=]\n", "2:1 expected [[budget]]"},
      {"# [\r[=]\n", "1:5 expected [[budget]]"},
      {"# [", "none"},
      {"a = \"x\x01\"\n", "1:7 a control character"},
      {"# x\x7f\n", "1:4 a control character"},
      {"\n\n ab\x02\n", "3:4 a control character"},
      {"a = \"\xc3\xa4\" \x01\n", "1:10 a control character"},
      {"a = \"\xc3\xa4\" \xc3\n", "1:10 expected a key in ASCII, or quotes"}};
  for (const auto& [text, expected] : all) EXPECT_EQ(flaw_in(text), expected) << text;
}

}  // namespace
}  // namespace bast_stacks
