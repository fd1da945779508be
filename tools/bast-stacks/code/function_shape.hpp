// SPDX-License-Identifier: Apache-2.0
//
// `function_shape`: the stack that a function has taken at each of its calls, and at most.
//
// Unwind tables based on the stack pointer are exact, instruction by instruction. If they are based
// on the frame pointer, the stack pointer is derived from the instructions: pushes, subtractions
// and alignments are followed along the code and across its jumps.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "code/decoder.hpp"
#include "code/frame_table.hpp"

namespace bast_stacks {

/// A place where control leaves a function, temporarily or not. Excludes a jump to another stack:
/// one right after an instruction that loads the stack pointer from a record elsewhere, as a
/// context switch does.
struct call_site {
  std::uint64_t pc = 0;
  std::uint64_t bytes = 0;        // of the instruction
  std::uint64_t stack_bytes = 0;  // from the CFA to the stack pointer, just before it
  target_kind target_is = target_kind::unknown;
  std::uint64_t target = 0;
  bool tail = false;  // a jump
};

struct function_shape {
  std::vector<call_site> calls;
  std::vector<std::uint64_t> named_code;  // addresses of code that it mentions
  std::uint64_t frame_bytes = 0;    // at most; with the return address, without dynamic amounts
  std::uint64_t touched_bytes = 0;  // the same with the red zone, if used
  bool dynamic = false;             // takes an amount that is known only at run time
  bool realigned = false;           // rounds the stack pointer down; the maximum counts
  bool switches = false;            // loads the stack pointer: switches to another stack and back
  bool decoded = true;              // false: an instruction could not be decoded
};

struct function_extent {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// `rows`: of this function, or empty.
function_shape shape_of(decoder& engine, const elf_file& file, const function_extent& extent,
                        const std::vector<frame_row>& rows);

/// Bytes from the CFA to the stack pointer, a multiple of 16 between these two, unless they are
/// equal: the bytes that rounding took are not known.
struct stack_bytes {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

/// The same just before the instruction that holds `pc`; empty if the function takes dynamic
/// amounts or no instruction holds it.
std::optional<stack_bytes> stack_bytes_at(decoder& engine, const elf_file& file,
                                          const function_extent& extent,
                                          const std::vector<frame_row>& rows, std::uint64_t pc);

}  // namespace bast_stacks
