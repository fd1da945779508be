// SPDX-License-Identifier: Apache-2.0
//
// `program_files`: a program and the shared libraries that it would be started with, and which of
// them defines a symbol. As the dynamic linker looks for them, but without LD_LIBRARY_PATH,
// LD_PRELOAD and /etc/ld.so.conf: a bound should not depend on who asks for it. A program under
// /proc/PID/root, the file system as a process sees it, has its libraries there.
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
  bool chosen_at_load = false;  // what runs is chosen by the code at this address

  friend bool operator==(const code_address&, const code_address&) = default;
};

class program_files {
 public:
  /// Errors as elf_file::open, of the program itself.
  static std::expected<program_files, problem> load(const std::string& path);

  const std::vector<std::shared_ptr<code_file>>& files() const { return files_; }
  code_file& operator[](std::size_t index) { return *files_[index]; }
  const std::vector<std::string>& missing() const { return missing_; }  // libraries
  /// Who defines a symbol, for whoever asks.
  std::optional<code_address> find(std::string_view symbol) const;
  /// Every function that a person may mean, see `means`.
  std::vector<code_address> meant_by(std::string_view name);

 private:
  void add_needed(std::size_t index);
  std::vector<std::string> directories_of(const elf_file& file) const;

  std::string root_;  // "/proc/4711/root", or empty: ours
  std::vector<std::shared_ptr<code_file>> files_;
  std::vector<std::string> missing_;
  std::unordered_multimap<std::string, code_address> by_source_name_;  // when first asked for
};

}  // namespace bast_stacks
