// SPDX-License-Identifier: Apache-2.0
//
// Patterns for sites in budgets and options: "server.cpp:*", "app/*.cpp:88", "accept".
#pragma once

#include <string>
#include <string_view>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// Whether all of `text` matches: `*` is any characters, `?` is one byte, `\` quotes the next.
/// Takes at most the product of the lengths.
bool glob_match(std::string_view pattern, std::string_view text) noexcept;

/// Whether the pattern matches a site: a label as a whole, a place in the source as "file:line"
/// with any number of leading directories left out.
bool site_matches(std::string_view pattern, const site& of);

/// The pattern that matches only this text.
std::string glob_escape(std::string_view text);

}  // namespace bast_stacks
