// SPDX-License-Identifier: Apache-2.0
//
// Sites, frames and backtraces as a reader sees them. All that is returned is printable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// "/src/app/server.cpp:88", "accept", "(other)"; a name of which only the end is known begins with
/// "...".
std::string site_name(const site& of);
/// Without the directories: "server.cpp:88".
std::string short_site_name(const site& of);
/// The name of each site, without as many directories as all can do without.
std::vector<std::string> short_site_names(const std::vector<site>& sites);

/// A function of C++ without its parameters, template arguments and unnamed namespaces:
/// "std::vector::push_back". Other names as they are.
std::string short_function_name(std::string_view demangled);

/// Where a frame is: "read_request (in.cpp:7)", "memcpy (libc.so.6+0x1234)", "0x401234".
std::string frame_name(const frame& of);
/// The deepest backtrace, a line a frame, deepest first, with the bytes of each. Each line is
/// indented by two spaces. Consecutive equal functions are one line, "x37".
std::string backtrace_text(const backtrace& of, bool exact);

/// A function that is on a backtrace more than once.
struct recursion {
  std::string function;
  std::uint64_t times = 0;
  bool at_least = false;  // part of the backtrace is omitted
};
/// The one that is there most often; `times` is 0 when none is there three times or more.
recursion recursion_of(const backtrace& of);
/// "recursion json_value x37", or empty.
std::string recursion_text(const backtrace& of);

}  // namespace bast_stacks
