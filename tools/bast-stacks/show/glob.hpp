// SPDX-License-Identifier: Apache-2.0
//
// How budgets and options name sites: "server.cpp:*", "app/*.cpp:88", "accept".
#pragma once

#include <string>
#include <string_view>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// Whether all of `text` matches: `*` is any characters, `?` is one byte, `\` takes the next
/// literally. Time is at most the product of the lengths.
bool glob_match(std::string_view pattern, std::string_view text) noexcept;

/// Whether a site is named: a label by all of it, a place in the source as "file:line", where any
/// number of leading directories may be left out.
bool site_matches(std::string_view pattern, const site& of);

/// The pattern that matches only this text.
std::string glob_escape(std::string_view text);

}  // namespace bast_stacks
