// SPDX-License-Identifier: Apache-2.0
//
// `stack_sizes`: a file's own records of its frames, if clang compiled it with
// -fstack-size-section. They help where unwind tables and instructions say nothing. A function that
// takes a dynamic amount has no record, so a record is the whole frame.
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
  /// Of all sections of that name; empty if there is none.
  explicit stack_sizes(const elf_file& file);
  /// Of the bytes of such a section. Ignores everything after the first invalid record.
  stack_sizes(byte_span section, std::uint16_t machine);

  /// The stack use of the function that begins at `address`; the largest of several records.
  std::optional<std::uint64_t> of(std::uint64_t address) const;
  std::size_t size() const { return by_address_.size(); }

 private:
  void add(byte_span section, std::uint16_t machine);
  void sort();

  std::vector<std::pair<std::uint64_t, std::uint64_t>> by_address_;  // function, bytes
};

}  // namespace bast_stacks
