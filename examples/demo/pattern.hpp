// SPDX-License-Identifier: Apache-2.0
//
// The patterns of the demo, and matching that never exceeds a stack.
//
// std::regex of libstdc++ matches by recursion: some 500 bytes of stack for each character that a
// loop of the pattern takes, so a comment of 10,000 characters takes 5 MB. On a thread the
// available size is unknown. Here the matcher reads its text through `watched_text`, which calls
// this_coro::stack_left() at each character and gives up, by an exception that unwinds the matcher,
// before the stack ends. Texts that were given up are counted and named in the report.
#pragma once

#include <bast/base.hpp>
#include <cstddef>
#include <regex>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

/// The pieces of a file that a pattern is matched against.
enum class scope {
  line,       // each line, anywhere in it
  directive,  // a preprocessor directive with the lines that continue it, from its start
  comment,    // from each "/*" on
  code,       // from the first character that is neither space nor comment to the end of the file
};

struct pattern {
  const char* title;  // in the report, and the name of its fibers
  scope where;
  const char* source;            // the regular expression
  const char* ranked = nullptr;  // title of a ranking of the matched words; null: none
  bool report_absence = false;   // a find is a file that does not match
  /// Where its fibers are spawned, for the statistics of their stacks: the line of the pattern.
  std::source_location site = std::source_location::current();
  std::regex regex = {};
  bast::bytes reserve = {};  // minimum of stack left at each character
};

/// The patterns of a run without --pattern, not compiled yet.
std::vector<pattern> usual_patterns();

/// Compiles `p` and computes its reserve. Returns an error text, or an empty string.
std::string prepare(pattern& p, bast::bytes stack_limit);

enum class verdict {
  absent,
  found,
  too_deep,  // the recursion came within the reserve of the stack's limit
  too_long,  // the matcher took `steps_max` steps: the pattern backtracks endlessly
};

struct match {
  verdict what = verdict::absent;
  std::string_view all;
  std::string_view word;  // the first group that matched, or all
};

/// Matches `p` against one piece of text. Call inside a fiber.
match try_match(const pattern& p, std::string_view piece);

/// Cuts a text into the pieces that a pattern requires. Empty at the end.
class pieces {
 public:
  pieces(scope where, std::string_view text) : where_(where), text_(text) {}

  /// Returns false at the end.
  bool next(std::string_view& piece);
  /// The line of the piece, from 1.
  std::size_t line();
  /// The number of bytes cut so far.
  std::size_t position() const { return at_; }

 private:
  bool next_line(std::string_view& piece);
  bool next_directive(std::string_view& piece);
  bool next_comment(std::string_view& piece);
  bool next_code(std::string_view& piece);

  scope where_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;  // of the piece
  std::size_t counted_to_ = 0;
  std::size_t line_ = 1;  // at counted_to_
};

}  // namespace demo
