// SPDX-License-Identifier: Apache-2.0
//
// `image`: the arguments of execve, built in the parent before anything is started (laws P-1, P-2).
#pragma once

#include <cstddef>
#include <string_view>

#include "bast/process/settings.hpp"

namespace bast::inline BAST_ABI::internal {

/// Refers to the strings of the settings and the environment: both must outlive it unchanged.
class image {
 public:
  /// Builds the arguments, the environment and the path of the program. Allocates. Errors:
  /// no_memory; for the program io (ENOENT: not found in PATH; EACCES: none found that may be
  /// executed).
  [[nodiscard]] result<void> build(const command_settings& settings) noexcept;

  const char* program() const noexcept { return program_.first(); }
  char* const* arguments() const noexcept { return arguments_.data(); }
  char* const* environment() const noexcept { return environment_.data(); }
  /// Returns true if the strings are built and only the program was not found.
  bool has_strings() const noexcept { return has_strings_; }

 private:
  result<void> build_arguments(const command_settings& settings) noexcept;
  result<void> build_environment(const command_settings& settings) noexcept;
  result<void> find_program(const command_settings& settings) noexcept;
  result<void> name_directory(std::string_view directory) noexcept;
  const char* search_path() const noexcept;

  /// An edit of the environment: its name, and its position in the order of calls.
  struct edit {
    std::string_view name;
    std::size_t place = 0;
  };
  result<void> sort_edits(const string_list& edits) noexcept;
  const edit* last_edit_of(std::string_view name) const noexcept;

  string_list program_;
  string_list directory_;  // "PWD=...", at most one
  list<char*> arguments_;
  list<char*> environment_;
  list<edit> edits_;  // sorted; the last edit of each name comes last
  bool has_strings_ = false;
};

}  // namespace bast::inline BAST_ABI::internal
