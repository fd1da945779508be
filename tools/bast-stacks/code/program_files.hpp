// SPDX-License-Identifier: Apache-2.0
//
// `program_files`: a program and the shared libraries that it would be started with, and which of
// them defines a symbol. Searches as the dynamic linker does, but without LD_LIBRARY_PATH,
// LD_PRELOAD and /etc/ld.so.conf: a bound should not depend on the user's environment. A program
// under /proc/PID/root, the file system of a process, has its libraries there.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "code/code_file.hpp"

namespace bast_stacks {

/// An address in one of the files.
struct code_address {
  std::size_t file = 0;  // index in program_files::files
  std::uint64_t address = 0;
  bool chosen_at_load = false;  // the code at this address chooses the function that runs

  friend bool operator==(const code_address&, const code_address&) = default;
};

class program_files {
 public:
  /// Errors: those of elf_file::open for the program itself.
  static std::expected<program_files, problem> load(const std::string& path);

  const std::vector<std::shared_ptr<code_file>>& files() const { return files_; }
  code_file& operator[](std::size_t index) { return *files_[index]; }
  const std::vector<std::string>& missing() const { return missing_; }  // libraries
  /// The definition of a symbol, for any caller.
  std::optional<code_address> find(std::string_view symbol) const;
  /// Every function that a person may mean, see `means`.
  std::vector<code_address> meant_by(std::string_view name);

 private:
  void add_needed(std::size_t index);
  std::vector<std::string> directories_of(const elf_file& file) const;

  std::string root_;  // "/proc/4711/root", or empty: ours
  std::vector<std::shared_ptr<code_file>> files_;
  std::vector<std::string> missing_;
  std::unordered_multimap<std::string, code_address> by_source_name_;  // built on first use
};

}  // namespace bast_stacks
