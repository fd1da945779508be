// SPDX-License-Identifier: Apache-2.0
//
// The displayed names of sites, frames and backtraces. All results are clean text.
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
/// The names of all sites, each with as few directories as distinguish it.
std::vector<std::string> short_site_names(const std::vector<site>& sites);

/// A C++ function without its parameters, template arguments and unnamed namespaces:
/// "std::vector::push_back". Other names are returned unchanged.
std::string short_function_name(std::string_view demangled);

/// A frame's function and place: "read_request (in.cpp:7)", "memcpy (libc.so.6+0x1234)",
/// "0x401234".
std::string frame_name(const frame& of);

}  // namespace bast_stacks
