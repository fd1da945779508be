// SPDX-License-Identifier: Apache-2.0
//
// `code_file`: one program or library with everything known about its functions, computed on demand
// and once.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "code/function_shape.hpp"
#include "code/stack_sizes.hpp"

namespace bast_stacks {

class source_lines;
struct source_place;

class code_file {
 public:
  /// With the symbols of its debug file, if there is one. Errors as elf_file::open.
  static std::expected<std::shared_ptr<code_file>, problem> open(const std::string& path);
  explicit code_file(std::shared_ptr<elf_file> elf);
  ~code_file();

  const elf_file& elf() const { return *elf_; }
  const frame_table& frames() const { return frames_; }
  decoder& engine() { return decoder_; }

  /// The function that holds `address`: from the unwind tables, or from its symbol.
  std::optional<function_extent> extent_at(std::uint64_t address) const;
  /// Empty if the unwind tables have no entry.
  const std::vector<frame_row>& rows_of(const function_extent& extent);
  const function_shape& shape_of(const function_extent& extent);
  frame_row row_at(std::uint64_t address);
  /// The stack use of the function that begins at `address`, if its compiler recorded it.
  std::optional<std::uint64_t> told_bytes(std::uint64_t address);
  /// The linker's name of the function that holds `address`, or empty.
  std::string_view name_at(std::uint64_t address) const;
  /// Its place in the source; empty without debug information.
  std::optional<source_place> place_of(std::uint64_t address);

 private:
  std::shared_ptr<elf_file> elf_;
  std::shared_ptr<elf_file> debug_;  // may be null
  frame_table frames_;
  decoder decoder_;
  std::unordered_map<std::uint64_t, std::vector<frame_row>> rows_;
  std::unordered_map<std::uint64_t, function_shape> shapes_;
  std::unique_ptr<source_lines> lines_;
  std::optional<stack_sizes> told_;
};

}  // namespace bast_stacks
