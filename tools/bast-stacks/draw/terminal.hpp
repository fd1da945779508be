// SPDX-License-Identifier: Apache-2.0
//
// `terminal`: the terminal while a program has all of it. What it was comes back in the end.
//
// Curses stays behind this header: its macros have the names of everyday functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "draw/top_view.hpp"

struct screen;  // curses'

namespace bast_stacks::draw {

/// One for the process, used by one thread. Nothing but `open` may be called before it has
/// succeeded.
class terminal {
 public:
  terminal() = default;
  ~terminal();
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  /// Takes standard input and output. Why it cannot be used, or empty.
  std::string open(bool colour);
  bool shows_unicode() const;
  screen_size size() const;
  /// The size has changed.
  void resized();
  void show(const std::vector<screen_line>& lines);
  /// The next key that was pressed, or nothing; does not wait.
  std::optional<top_key> take_key();

 private:
  ::screen* screen_ = nullptr;
  bool colour_ = false;
};

}  // namespace bast_stacks::draw
