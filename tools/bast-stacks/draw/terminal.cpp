// SPDX-License-Identifier: Apache-2.0
#include "draw/terminal.hpp"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>

#include "model/clean_text.hpp"
// The last header defines these as macros for terminal capabilities.
#undef columns
#undef lines

namespace bast_stacks::draw {

namespace {

attr_t attributes(text_style style, bool colour) {
  switch (style) {
    case text_style::plain: return A_NORMAL;
    case text_style::strong: return A_BOLD;
    case text_style::soft: return A_DIM;
    case text_style::head: return A_UNDERLINE;
    case text_style::alarm: return colour ? A_BOLD | static_cast<attr_t>(COLOR_PAIR(1)) : A_BOLD;
    case text_style::selected: return A_REVERSE;
  }
  return A_NORMAL;
}

top_key key_of(int code) {
  switch (code) {
    case KEY_UP:
    case 'k': return top_key::up;
    case KEY_DOWN:
    case 'j': return top_key::down;
    case KEY_PPAGE: return top_key::page_up;
    case KEY_NPAGE:
    case ' ': return top_key::page_down;
    case KEY_HOME:
    case 'g': return top_key::home;
    case KEY_END:
    case 'G': return top_key::end;
    case KEY_ENTER:
    case '\r':
    case '\n': return top_key::enter;
    case KEY_BACKSPACE:
    case 0x7f:
    case 0x1b: return top_key::back;
    case 's': return top_key::sort;
    case 'r': return top_key::look;
    case '?':
    case 'h': return top_key::help;
    case 'q': return top_key::quit;
    default: return top_key::none;
  }
}

}  // namespace

terminal::~terminal() {
  if (screen_ == nullptr) return;
  ::endwin();
  ::delscreen(screen_);
}

std::string terminal::open(bool colour) {
  const char* type = std::getenv("TERM");
  const std::string name = type == nullptr || *type == '\0' ? "unknown" : clean_text(type);
  // Curses takes the character encoding from the locale.
  std::setlocale(LC_CTYPE, "");
  int status = 0;
  if (::setupterm(nullptr, STDOUT_FILENO, &status) != OK)
    return fmt::format("nothing is known of terminals of type '{}' (TERM)", name);
  const char* place_cursor = ::tigetstr(const_cast<char*>("cup"));
  if (place_cursor == nullptr || place_cursor == reinterpret_cast<char*>(-1))
    return fmt::format("a terminal of type '{}' (TERM) cannot place its cursor", name);
  screen_ = ::newterm(nullptr, stdout, stdin);
  if (screen_ == nullptr) return fmt::format("a terminal of type '{}' (TERM) is not usable", name);
  ::set_escdelay(25);  // milliseconds, to distinguish Escape from the start of another key
  ::cbreak();
  ::noecho();
  ::nonl();
  ::keypad(::stdscr, true);
  ::nodelay(::stdscr, true);
  ::curs_set(0);
  colour_ = colour && ::has_colors();
  if (colour_) {
    ::start_color();
    ::use_default_colors();
    ::init_pair(1, COLOR_RED, -1);
  }
  return {};
}

bool terminal::shows_unicode() const { return std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0; }

screen_size terminal::size() const {
  return {static_cast<std::size_t>(std::max(1, ::getmaxx(::stdscr))),
          static_cast<std::size_t>(std::max(1, ::getmaxy(::stdscr)))};
}

void terminal::resized() {
  winsize now{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) == 0 && now.ws_row != 0 && now.ws_col != 0)
    ::resizeterm(now.ws_row, now.ws_col);
}

void terminal::show(const std::vector<screen_line>& lines) {
  ::erase();
  for (std::size_t row = 0; row < lines.size(); ++row) {
    ::move(static_cast<int>(row), 0);
    for (const styled_text& each : lines[row]) {
      ::attrset(static_cast<int>(attributes(each.style, colour_)));
      ::addstr(each.text.c_str());
    }
  }
  ::attrset(A_NORMAL);
  ::refresh();
}

std::optional<top_key> terminal::take_key() {
  const int code = ::getch();
  if (code == ERR) return std::nullopt;
  return key_of(code);
}

}  // namespace bast_stacks::draw
