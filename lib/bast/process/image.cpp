// SPDX-License-Identifier: Apache-2.0
#include "bast/process/image.hpp"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace bast::inline BAST_ABI::internal {
namespace {

// glibc's execvp searches these without a PATH.
constexpr const char* default_search_path = "/bin:/usr/bin";

constexpr std::string_view directory_variable = "PWD";

std::unexpected<error> out_of_memory() noexcept {
  return fail(errc::no_memory, "command.start", "there is no memory for arguments or environment");
}

std::unexpected<error> not_found(int error_number) noexcept {
  return std::unexpected(error::from_errno(
      error_number, "command.start",
      error_number == EACCES ? static_string("no file of this name in PATH may be executed")
                             : static_string("there is no file of this name in PATH")));
}

/// The kernel's parameter is `char*`, but it does not write through it.
char* as_argument(const char* string) noexcept {
  return const_cast<char*>(string);  // NOLINT(cppcoreguidelines-pro-type-const-cast): see above
}

std::string_view name_in(std::string_view entry) noexcept {
  return entry.substr(0, entry.find('='));
}

/// Errors of one directory of PATH after which the search continues.
bool may_be_elsewhere(int error_number) noexcept {
  return error_number == ENOENT || error_number == ENOTDIR || error_number == EACCES ||
         error_number == ELOOP || error_number == ENAMETOOLONG;
}

}  // namespace

result<void> image::build(const command_settings& settings) noexcept {
  has_strings_ = false;
  if (const auto built = build_arguments(settings); !built) return built;
  if (const auto built = build_environment(settings); !built) return built;
  has_strings_ = true;
  return find_program(settings);
}

result<void> image::build_arguments(const command_settings& settings) noexcept {
  const string_list& from = settings.arguments;
  arguments_.clear();
  if (!arguments_.reserve(from.count() + 1)) return out_of_memory();
  for (const char* s = from.first(); s != nullptr; s = from.next(s)) {
    if (!arguments_.add(as_argument(s))) return out_of_memory();
  }
  if (!settings.argv0.empty()) arguments_.all().front() = as_argument(settings.argv0.first());
  BAST_ASSERT(arguments_.size() == from.count());
  return arguments_.add(nullptr) ? result<void>() : out_of_memory();
}

result<void> image::sort_edits(const string_list& edits) noexcept {
  edits_.clear();
  if (!edits_.reserve(edits.count())) return out_of_memory();
  for (const char* s = edits.first(); s != nullptr; s = edits.next(s)) {
    (void)edits_.add({.name = name_in(s), .place = edits_.size()});
  }
  std::ranges::sort(edits_.all(), [](const edit& a, const edit& b) {
    return a.name != b.name ? a.name < b.name : a.place < b.place;
  });
  return {};
}

const image::edit* image::last_edit_of(std::string_view name) const noexcept {
  const auto all = edits_.all();
  const auto after = std::ranges::upper_bound(all, name, {}, &edit::name);
  return after == all.begin() || std::prev(after)->name != name ? nullptr : &*std::prev(after);
}

result<void> image::build_environment(const command_settings& settings) noexcept {
  const string_list& edits = settings.environment;
  environment_.clear();
  if (auto sorted = sort_edits(edits); !sorted) return sorted;
  const bool sets_directory = settings.inherit_environment && !settings.directory.empty() &&
                              last_edit_of(directory_variable) == nullptr;
  if (settings.inherit_environment && environ != nullptr) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (last_edit_of(name_in(*entry)) != nullptr) continue;
      if (sets_directory && name_in(*entry) == directory_variable) continue;
      if (!environment_.add(*entry)) return out_of_memory();
    }
  }
  if (sets_directory) {
    if (auto named = name_directory(settings.directory.first()); !named) return named;
  }
  std::size_t place = 0;
  for (const char* s = edits.first(); s != nullptr; s = edits.next(s), ++place) {
    const bool sets = std::string_view(s).contains('=');
    if (BAST_MUTANT(environment_edit_lost) && edits.next(s) == nullptr) break;
    if (!sets || last_edit_of(name_in(s))->place != place) continue;  // The last edit wins.
    if (!environment_.add(as_argument(s))) return out_of_memory();
  }
  return environment_.add(nullptr) ? result<void>() : out_of_memory();
}

/// Sets PWD, absolute: a relative directory is relative to ours.
result<void> image::name_directory(std::string_view directory) noexcept {
  char here[PATH_MAX] = "";
  if (directory.empty() || directory.front() != '/') {
    if (const auto known = os::working_directory(here); !known) return known;
  }
  const std::string_view slash = here[0] == '\0' ? "" : "/";
  if (!directory_.assign({directory_variable, "=", here, slash, directory})) return out_of_memory();
  return environment_.add(as_argument(directory_.first())) ? result<void>() : out_of_memory();
}

/// The PATH that the child will have.
const char* image::search_path() const noexcept {
  constexpr std::string_view prefix = "PATH=";
  if (BAST_MUTANT(our_path_searched)) return ::getenv("PATH");
  for (const char* const entry : environment_.all()) {
    if (entry != nullptr && std::string_view(entry).starts_with(prefix)) {
      return entry + prefix.size();
    }
  }
  return default_search_path;
}

result<void> image::find_program(const command_settings& settings) noexcept {
  const std::string_view name = settings.arguments.first();
  // The child changes its directory before it executes, so a relative path must become absolute.
  char here[PATH_MAX] = "";
  const auto locate = [&](std::string_view directory, std::string_view slash) -> result<void> {
    const bool relative = (directory.empty() ? name : directory).front() != '/';
    if (!relative || settings.directory.empty()) {
      return program_.assign({directory, slash, name}) ? result<void>() : out_of_memory();
    }
    if (here[0] == '\0') {
      if (const auto known = os::working_directory(here); !known) return known;
    }
    return program_.assign({here, "/", directory, slash, name}) ? result<void>() : out_of_memory();
  };
  if (name.contains('/')) return locate("", "");

  int verdict = ENOENT;
  std::string_view rest = search_path();
  for (bool more = true; more;) {
    const std::size_t colon = rest.find(':');
    const std::string_view directory = rest.substr(0, colon);
    more = colon != std::string_view::npos;
    if (more) rest.remove_prefix(colon + 1);
    // By tradition an empty entry is the working directory.
    const auto located = locate(directory.empty() ? "." : directory, "/");
    if (!located) return located;
    const auto executable = os::check_executable(program_.first());
    if (executable) return {};
    const int error_number = executable.error().error_number();
    if (!may_be_elsewhere(error_number)) return executable;
    if (error_number == EACCES) verdict = EACCES;
  }
  return not_found(verdict);
}

}  // namespace bast::inline BAST_ABI::internal
