// SPDX-License-Identifier: Apache-2.0
//
// `source_lines`: from an address to file and line, by DWARF.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "code/elf_file.hpp"

struct Dwarf;

namespace bast_stacks {

struct source_place {
  std::string file;
  std::uint32_t line = 0;
};

class source_lines {
 public:
  explicit source_lines(std::shared_ptr<elf_file> file);
  ~source_lines();
  source_lines(const source_lines&) = delete;
  source_lines& operator=(const source_lines&) = delete;

  std::optional<source_place> at(std::uint64_t address) const;

 private:
  struct unit_range {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::uint64_t unit = 0;  // offset of its entry in .debug_info
  };
  void read_units();

  std::shared_ptr<elf_file> file_;
  Dwarf* dwarf_ = nullptr;
  std::vector<unit_range> ranges_;
};

}  // namespace bast_stacks
