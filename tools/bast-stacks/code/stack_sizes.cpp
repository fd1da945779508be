// SPDX-License-Identifier: Apache-2.0
#include "code/stack_sizes.hpp"

#include <elf.h>

#include <algorithm>

#include "code/byte_cursor.hpp"

namespace bast_stacks {
namespace {

// A larger frame is a damaged record: no stack is that large.
constexpr std::uint64_t frame_bytes_max = std::uint64_t{1} << 40;

}  // namespace

stack_sizes::stack_sizes(const elf_file& file) {
  for (const elf_section& section : file.sections()) {
    if (section.name == ".stack_sizes") add(file.contents(section), file.machine());
  }
  sort();
}

stack_sizes::stack_sizes(byte_span section, std::uint16_t machine) {
  add(section, machine);
  sort();
}

void stack_sizes::add(byte_span section, std::uint16_t machine) {
  const std::uint64_t pushed_by_call = machine == EM_X86_64 ? 8 : 0;
  byte_cursor from(section);
  while (!from.done()) {
    const auto function = from.read<std::uint64_t>();
    const std::uint64_t bytes = from.read_unsigned();
    if (from.failed() || bytes > frame_bytes_max) return;
    by_address_.emplace_back(function, bytes + pushed_by_call);
  }
}

void stack_sizes::sort() { std::ranges::sort(by_address_); }

std::optional<std::uint64_t> stack_sizes::of(std::uint64_t address) const {
  // The largest of a function's records is the last.
  const auto after = std::ranges::upper_bound(by_address_, address, {},
                                              &std::pair<std::uint64_t, std::uint64_t>::first);
  if (after == by_address_.begin() || std::prev(after)->first != address) return std::nullopt;
  return std::prev(after)->second;
}

}  // namespace bast_stacks
