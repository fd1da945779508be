// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include <cstdlib>

#include "code/code_file.hpp"
#include "code/names.hpp"
#include "code/plt.hpp"
#include "inspector/require.hpp"

namespace bast_stacks {
namespace {

// A real library has thousands; these suffice to reach every rule.
constexpr std::size_t looked_at = 200;

void look_at_range(code_file& file, const unwound_range& range) {
  require(range.low < range.high);
  const function_extent extent{.low = range.low, .high = range.high};
  auto end = range.low;
  for (const auto& row : file.rows_of(extent)) {
    require(row.low >= end && row.low < row.high && row.high <= range.high);
    end = row.high;
  }
  const auto& shape = file.shape_of(extent);
  require(shape.touched_bytes >= shape.frame_bytes);
  for (const auto& call : shape.calls) {
    require(call.pc >= range.low && call.pc < range.high);
    require(call.stack_bytes <= shape.frame_bytes);
    if (call.target_is == target_kind::direct) plt_slot(file, call.target);
    if (call.target_is == target_kind::slot) file.elf().relocation_at(call.target);
  }
  demangled(file.name_at(range.low));
}

}  // namespace

int fuzz_elf_frames(const std::uint8_t* data, std::size_t size) {
  const byte_span bytes{data, size};
  // The whole input as the section itself, so that its rules are reached without a file around
  // them.
  for (const std::uint16_t machine : {std::uint16_t{62}, std::uint16_t{183}}) {
    const frame_table table(bytes, 0x10000, machine);
    std::size_t looked = 0;
    for (const auto& range : table.ranges()) {
      for (const auto& row : table.rows(range)) require(row.low < row.high);
      if (++looked == looked_at) break;
    }
  }
  const auto elf = elf_file::open(bytes, "input");
  if (!elf) return 0;
  code_file file(*elf);
  (*elf)->needed();
  (*elf)->run_path();
  (*elf)->binds_now();
  (*elf)->functions();
  file.told_bytes(0x1000);
  require(stack_sizes(bytes, 62).size() <= size / 9);
  std::size_t looked = 0;
  std::uint64_t last = 0;
  for (const auto& range : file.frames().ranges()) {
    require(range.low >= last);
    last = range.high;
    look_at_range(file, range);
    if (++looked == looked_at) break;
  }
  return 0;
}

}  // namespace bast_stacks
