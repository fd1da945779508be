// SPDX-License-Identifier: Apache-2.0
//
// `function_shape`: how much of the stack a function has taken at each of its calls, and at most.
//
// Where the unwind tables count from the stack pointer they are exact, instruction by instruction.
// Where they count from the frame pointer, instructions say where the stack pointer is: what they
// push, subtract and align is followed, along the code and across its jumps.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "code/decoder.hpp"
#include "code/frame_table.hpp"

namespace bast_stacks {

/// Where control leaves a function, to come back or not. Not listed is a jump to another stack: one
/// right behind an instruction that loads the stack pointer from a record elsewhere, as a context
/// switch does.
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
  std::uint64_t frame_bytes = 0;    // at most; with the return address, without what is dynamic
  std::uint64_t touched_bytes = 0;  // the same with the red zone, where it is used
  bool dynamic = false;             // takes an amount that only the running program knows
  bool realigned = false;           // rounds the stack pointer down; counted as what that can take
  bool switches = false;            // loads the stack pointer: goes to another stack and comes back
  bool decoded = true;              // false: an instruction was none
};

struct function_extent {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// `rows`: of this function, or empty.
function_shape shape_of(decoder& engine, const elf_file& file, const function_extent& extent,
                        const std::vector<frame_row>& rows);

/// Bytes from the CFA to the stack pointer, a multiple of 16 between these two, unless they are
/// equal: what rounding the stack pointer took is not known.
struct stack_bytes {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

/// The same just before the instruction that holds `pc`; nothing when the function takes dynamic
/// amounts or no instruction holds it.
std::optional<stack_bytes> stack_bytes_at(decoder& engine, const elf_file& file,
                                          const function_extent& extent,
                                          const std::vector<frame_row>& rows, std::uint64_t pc);

}  // namespace bast_stacks
