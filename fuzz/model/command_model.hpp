// SPDX-License-Identifier: Apache-2.0
//
// `command_model`: the laws P-1 .. P-3 and P-8 for one command: whether it is refused, what it
// executes, in which environment, and why it cannot. Independent of the library's implementation;
// it queries the kernel about files only.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/process.hpp"

namespace bast::model {

using strings = std::vector<std::string>;

class command_model {
 public:
  // The setters of `command`.
  void arg(const std::string& argument);
  void env(const std::string& name, const std::string& value);
  void unset_env(const std::string& name);
  void clear_env();
  void cwd(const std::string& directory);
  void stdin_bytes(const std::string& contents);

  /// The first result of every start.
  std::optional<errc> problem() const;
  /// Records the first problem, or that a start was the last legal operation.
  void refuse(errc kind) { problem_ = problem_.value_or(kind); }
  void no_memory() { problem_ = errc::no_memory; }
  void start() { started_ = true; }
  bool started() const { return started_; }

  const strings& arguments() const { return arguments_; }
  /// In order, if our own is `ours`.
  strings environment(const strings& ours) const;
  /// A path to the file that is executed, or the errno of the search.
  std::expected<std::string, int> program(const strings& ours) const;
  /// If the search fails, the directory cannot be entered, or the file is not a program: the stage
  /// at which a start fails, and the errno.
  spawn_failure failure(const strings& ours) const;

  const std::optional<std::string>& directory() const { return directory_; }
  const std::string& input() const { return input_; }
  /// The number of bytes in all its strings.
  std::size_t size() const { return size_; }

 private:
  bool accept(const std::string& string, std::size_t more = 0);
  bool accept_name(const std::string& name);
  void edit(const std::string& name, std::optional<std::string> value);

  strings arguments_;
  /// The last change of each name, in the order of these changes.
  std::vector<std::pair<std::string, std::optional<std::string>>> edits_;
  bool inherits_ = true;
  std::optional<std::string> directory_;
  std::string input_;
  std::optional<errc> problem_;
  bool started_ = false;
  std::size_t size_ = 0;
};

}  // namespace bast::model
