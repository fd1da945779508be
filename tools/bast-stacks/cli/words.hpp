// SPDX-License-Identifier: Apache-2.0
//
// The descriptions of the commands, for help and man pages.
#pragma once

#include <span>
#include <string_view>

namespace bast_stacks {

struct example {
  const char* line;
  const char* what;
};

struct command_words {
  const char* name;
  const char* summary;      // a phrase
  const char* description;  // paragraphs, separated by an empty line
  std::span<const example> examples;
};

/// Of a command, or of the whole program for "". The name must exist.
const command_words& words_of(std::string_view name) noexcept;

/// The exit statuses, one line each: number, space, meaning.
std::span<const char* const> exit_status_words() noexcept;

}  // namespace bast_stacks
