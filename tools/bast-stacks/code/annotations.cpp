// SPDX-License-Identifier: Apache-2.0
#include "code/annotations.hpp"

#include <fmt/format.h>

#include <optional>
#include <tuple>

#include "code/names.hpp"
#include "code/text_file.hpp"
#include "model/parse.hpp"

namespace bast_stacks {
namespace {

// A bound beyond any stack; sums of a thousand of them still fit.
constexpr std::uint64_t limit_max = std::uint64_t{1} << 40;

struct form {
  std::string_view word;
  annotation_kind kind;
  std::string_view between;  // function and the rest; empty if there is none
  std::string_view example;
};
constexpr form forms[] = {
    {"edge", annotation_kind::edge, " -> ", "edge a -> b"},
    {"recursion", annotation_kind::recursion, " <= ", "recursion f <= 12"},
    {"alloca", annotation_kind::dynamic, " <= ", "alloca f <= 4096"},
    {"ignore", annotation_kind::ignore, "", "ignore f"},
    {"external", annotation_kind::external, " <= ", "external f <= 512"},
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<std::uint64_t> limit_of(std::string_view text) {
  const auto value = number_in<std::uint64_t>(text);
  return value && *value <= limit_max ? value : std::nullopt;
}

/// The line up to its comment. "{lambda()#1}" has none.
std::string_view without_comment(std::string_view line) {
  for (std::size_t at = 0; (at = line.find('#', at)) != std::string_view::npos; ++at) {
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') return line.substr(0, at);
  }
  return line;
}

/// Returns what is wrong with the line, or empty.
std::string parse_line(std::string_view line, annotation& out) {
  const auto blank = line.find_first_of(" \t");
  const auto word = line.substr(0, blank);
  for (const auto& form : forms) {
    if (form.word != word) continue;
    out.kind = form.kind;
    auto rest = blank == std::string_view::npos ? std::string_view{} : trimmed(line.substr(blank));
    if (!form.between.empty()) {
      const auto split = rest.rfind(form.between);
      if (split == std::string_view::npos)
        return fmt::format("expected as in \"{}\"", form.example);
      const auto right = trimmed(rest.substr(split + form.between.size()));
      rest = trimmed(rest.substr(0, split));
      if (form.kind == annotation_kind::edge) {
        out.target = right;
      } else if (const auto limit = limit_of(right)) {
        out.limit = *limit;
      } else {
        return fmt::format("\"{}\" is not a number up to 2^40", right);
      }
      if (right.empty()) return fmt::format("expected as in \"{}\"", form.example);
    }
    if (rest.empty()) return fmt::format("expected as in \"{}\"", form.example);
    std::tie(out.function, out.module) = function_and_module(rest);
    return {};
  }
  return fmt::format("\"{}\" is none of edge, recursion, alloca, ignore, external", word);
}

}  // namespace

std::expected<std::vector<annotation>, problem> parse_annotations(std::string_view text,
                                                                  std::string_view name) {
  std::vector<annotation> all;
  std::size_t number = 0;
  while (!text.empty()) {
    auto line = take_line(text);
    ++number;
    line = trimmed(without_comment(line));
    if (line.empty()) continue;
    annotation next{.kind = {}, .function = {}, .where = fmt::format("{}:{}", name, number)};
    const auto wrong = parse_line(line, next);
    if (!wrong.empty())
      return std::unexpected(problem{2, fmt::format("{}: {}", next.where, wrong), {}});
    all.push_back(std::move(next));
  }
  return all;
}

std::expected<std::vector<annotation>, problem> read_annotations(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_annotations(*text, path);
}

}  // namespace bast_stacks
