// SPDX-License-Identifier: Apache-2.0
//
// `stack_sizes`: what a file says of its own functions, when clang made it with
// -fstack-size-section. It helps where unwind tables and instructions are silent. A function that
// takes a dynamic amount is not in there, so what is there is all that the function takes.
//
// clang does not count the return address that a call on x86-64 pushes; here it is counted.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "code/elf_file.hpp"

namespace bast_stacks {

class stack_sizes {
 public:
  /// Of all sections of that name; empty when there is none.
  explicit stack_sizes(const elf_file& file);
  /// Of the bytes of such a section. What follows the first record that makes no sense is left out.
  stack_sizes(byte_span section, std::uint16_t machine);

  /// Bytes that the function which begins at `address` takes; the largest when several are told.
  std::optional<std::uint64_t> of(std::uint64_t address) const;
  std::size_t size() const { return by_address_.size(); }

 private:
  void add(byte_span section, std::uint16_t machine);
  void sort();

  std::vector<std::pair<std::uint64_t, std::uint64_t>> by_address_;  // function, bytes
};

}  // namespace bast_stacks
