// SPDX-License-Identifier: Apache-2.0
#include "pattern.hpp"

#include <algorithm>
#include <bast/coro.hpp>
#include <cctype>
#include <cstdint>
#include <iterator>
#include <locale>

namespace demo {
namespace {

// A megabyte of text takes a few million steps, unless the pattern backtracks endlessly.
constexpr std::size_t steps_max = 20'000'000;

struct gave_up {
  verdict why;
};

struct watch {
  std::size_t reserve = 0;
  std::size_t steps = 0;
};

/// An iterator over characters that checks the stack at each read. The matcher reads a character on
/// each level of its recursion, so it cannot recurse far without a check.
class watched_text {
 public:
  using iterator_category = std::bidirectional_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  watched_text() = default;
  watched_text(const char* at, watch& guard) : at_(at), watch_(&guard) {}

  reference operator*() const {
    if (bast::this_coro::stack_left().count < watch_->reserve) throw gave_up{verdict::too_deep};
    if (++watch_->steps > steps_max) throw gave_up{verdict::too_long};
    return *at_;
  }
  watched_text& operator++() { return ++at_, *this; }
  watched_text& operator--() { return --at_, *this; }
  watched_text operator++(int) { return {at_++, *watch_}; }
  watched_text operator--(int) { return {at_--, *watch_}; }
  friend bool operator==(const watched_text& a, const watched_text& b) { return a.at_ == b.at_; }

  const char* address() const { return at_; }

 private:
  const char* at_ = nullptr;
  watch* watch_ = nullptr;
};

std::string_view view_of(const std::sub_match<watched_text>& part) {
  return {part.first.address(), part.second.address()};
}

/// An upper bound of the states that the expression compiles to: two for each character, times
/// every repetition count, because `x{50}` is fifty copies of x.
std::size_t states_bound(std::string_view source) {
  constexpr std::size_t many = std::size_t{1} << 32;
  std::size_t states = 2 * source.size();
  for (std::size_t open = source.find('{'); open != source.npos;
       open = source.find('{', open + 1)) {
    std::size_t largest = 1;
    std::size_t count = 0;
    for (std::size_t i = open + 1; i < source.size() && source[i] != '}'; ++i) {
      const bool digit = std::isdigit(static_cast<unsigned char>(source[i])) != 0;
      count = digit ? std::min(many, count * 10 + static_cast<std::size_t>(source[i] - '0')) : 0;
      largest = std::max(largest, count);
    }
    states = std::min(many, states * largest);
  }
  return states;
}

}  // namespace

std::vector<pattern> usual_patterns() {
  // The loops are written so that they cannot backtrack for long: no text matches in two ways.
  std::vector<pattern> all;
  all.push_back({.title = "block comments",
                 .where = scope::comment,
                 .source = R"(/\*(?:[^*]|\*+[^*/])*\*+/)"});
  all.push_back({.title = "macros", .where = scope::directive, .source = R"(\s*#\s*define\s+\w+)"});
  all.push_back({.title = "includes",
                 .where = scope::directive,
                 .source = R"(\s*#\s*include\s*([<"][^>"]+[>"]))",
                 .ranked = "most included"});
  all.push_back({.title = "open notes",
                 .where = scope::line,
                 .source = R"([TFX](ODO|IXME|XX)\b)",
                 .ranked = "notes by word"});
  all.push_back({.title = "headers unguarded",
                 .where = scope::code,
                 .source = R"(#\s*(ifndef|if\s+!\s*defined|pragma\s+once)\b)",
                 .report_absence = true});
  return all;
}

std::string prepare(pattern& p, bast::bytes stack_limit) {
  using namespace bast::literals;
  // Between two characters the matcher can visit each state a few times, with a frame for each
  // visit. 2 KiB per state is ten times the observed need of our builds, including those with
  // sanitizers.
  const std::size_t states = states_bound(p.source);
  p.reserve = 64_KiB + states * 2_KiB;
  if (p.reserve.count > stack_limit.count / 2) {
    bast::text why;
    why << "the pattern is too complex for a stack limit of ";
    why.size(stack_limit.count) << ": it may compile to " << std::uint64_t{states} << " states";
    return std::string(why.view());
  }
  try {
    p.regex.imbue(std::locale::classic());
    p.regex.assign(p.source, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& e) {
    return e.what();
  }
  return {};
}

match try_match(const pattern& p, std::string_view piece) {
  const auto flags = p.where == scope::line ? std::regex_constants::match_default
                                            : std::regex_constants::match_continuous;
  watch guard{.reserve = p.reserve.count};
  const char* const start = piece.data();
  const watched_text first(start, guard);
  const watched_text last(start + piece.size(), guard);
  try {
    std::match_results<watched_text> parts;
    if (!std::regex_search(first, last, parts, p.regex, flags)) return {};
    match m{.what = verdict::found, .all = view_of(parts[0]), .word = view_of(parts[0])};
    if (p.where == scope::directive && parts[1].matched) m.word = view_of(parts[1]);
    return m;
  } catch (const gave_up& g) {
    return {.what = g.why, .all = piece, .word = {}};
  }
}

// --- pieces --------------------------------------------------------------------------------------

bool pieces::next(std::string_view& piece) {
  switch (where_) {
    case scope::line: return next_line(piece);
    case scope::directive: return next_directive(piece);
    case scope::comment: return next_comment(piece);
    case scope::code: return next_code(piece);
  }
  return false;
}

std::size_t pieces::line() {
  line_ += static_cast<std::size_t>(
      std::ranges::count(text_.substr(counted_to_, start_ - counted_to_), '\n'));
  counted_to_ = start_;
  return line_;
}

bool pieces::next_line(std::string_view& piece) {
  if (at_ >= text_.size()) return false;
  start_ = at_;
  const std::size_t end = std::min(text_.find('\n', at_), text_.size());
  piece = text_.substr(start_, end - start_);
  at_ = end + 1;
  return true;
}

bool pieces::next_directive(std::string_view& piece) {
  while (next_line(piece)) {
    const std::size_t first = piece.find_first_not_of(" \t");
    if (first == piece.npos || piece[first] != '#') continue;
    const std::size_t start = start_;
    for (std::string_view more = piece; more.ends_with('\\') && next_line(more);) {
      piece = text_.substr(start, static_cast<std::size_t>(more.end() - (text_.begin() + start)));
    }
    start_ = start;
    return true;
  }
  return false;
}

bool pieces::next_comment(std::string_view& piece) {
  for (;;) {
    start_ = text_.find("/*", at_);
    if (start_ == text_.npos) return false;
    // After "//" it opens nothing.
    const std::size_t line_start = text_.rfind('\n', start_) + 1;  // npos + 1 is 0
    const std::string_view before = text_.substr(line_start, start_ - line_start);
    if (before.find("//") == before.npos) break;
    at_ = std::min(text_.find('\n', start_), text_.size());
  }
  piece = text_.substr(start_);
  const std::size_t end = text_.find("*/", start_ + 2);
  at_ = end == text_.npos ? text_.size() : end + 2;
  return true;
}

bool pieces::next_code(std::string_view& piece) {
  for (;;) {
    at_ = text_.find_first_not_of(" \t\r\n\f\v", at_);
    if (at_ >= text_.size()) return false;
    const std::string_view rest = text_.substr(at_);
    std::size_t end = rest.npos;
    if (rest.starts_with("//")) {
      end = text_.find('\n', at_);
    } else if (rest.starts_with("/*")) {
      end = text_.find("*/", at_ + 2);
      if (end != text_.npos) end += 2;
    } else {
      piece = rest;
      start_ = at_;
      at_ = text_.size();
      return true;
    }
    at_ = end;
  }
}

}  // namespace demo
