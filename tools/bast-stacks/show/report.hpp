// SPDX-License-Identifier: Apache-2.0
//
// The report: stacks that are nearly too small or far too large, and the limits to set. By default
// at most fifteen lines, to be read at a glance.
//
//   server (pid 4711), bast 0.1.0, up 60 min: 3 sites, 577 live stacks
//
//      site (in KiB)    uses  live   p50   p99   max  size  margin  recommend
//   !! parse.cpp:40     9002    61   3.9  21.5  61.2  64.0   4.3 %  76 KiB, recursion value x37
//      server.cpp:88   41203   512   3.1   5.9   9.1   256  96.5 %  20 KiB
//
//   could be given back: 118 MiB of 134 MiB of address space; 3.1 MiB of memory below live stacks
//   bast::stack_options{.limit = 76_KiB, .window = 24_KiB}  // parse.cpp:10, for parse.cpp:40
//   not seen: ...
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "model/snapshot.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {

enum class report_rows { sites, stacks, pools };
/// margin: smallest first. max, uses, waste: largest first. site: by name.
enum class report_order { margin, max, uses, waste, site };

struct report_options {
  report_rows by = report_rows::sites;
  report_order sort = report_order::margin;
  std::optional<std::size_t> top{};  // rows; by default as many as fit on fifteen lines
  bool all = false;                  // every row, the code of every pool and site, all reservations
  bool exact_bytes = false;
  bool colour = false;
  recommend_options recommend{};
};

std::string report_text(const snapshot& of, const report_options& options = {});

/// Everything known about the sites whose name matches: numbers, histogram, deepest backtrace,
/// recommendation. `pattern` as in a budget, see glob.hpp. Empty if none matches.
std::string explain_text(const snapshot& of, std::string_view pattern,
                         const report_options& options = {});

/// "server (pid 4711), bast 0.1.0, up 60 min".
std::string title_of(const snapshot& of);

}  // namespace bast_stacks
