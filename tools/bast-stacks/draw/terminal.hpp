// SPDX-License-Identifier: Apache-2.0
//
// `terminal`: full-screen use of the terminal, which is restored at the end.
//
// Only the .cpp includes curses: its macros have common names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "draw/top_view.hpp"

struct screen;  // curses'

namespace bast_stacks::draw {

/// One per process, used by one thread. Call no other member before `open` has succeeded.
class terminal {
 public:
  terminal() = default;
  ~terminal();
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  /// Takes standard input and output. Returns why it cannot, or empty.
  std::string open(bool colour);
  bool shows_unicode() const;
  screen_size size() const;
  /// Adopts a changed size.
  void resized();
  void show(const std::vector<screen_line>& lines);
  /// The next pressed key, or nothing; does not wait.
  std::optional<top_key> take_key();

 private:
  ::screen* screen_ = nullptr;
  bool colour_ = false;
};

}  // namespace bast_stacks::draw
