// SPDX-License-Identifier: Apache-2.0
//
// `fault_words`: the words of a stack on which a page fault happened. Those near the stack pointer
// came with the fault; the others, and whether the first are still there, are read from the process
// afterwards, without a page of it becoming resident.
#pragma once

#include <cstdint>
#include <vector>

#include "bast/watch/abi.hpp"
#include "read/memory.hpp"
#include "read/perf_ring.hpp"

namespace bast_stacks {

/// Where code is.
class code_ranges {
 public:
  code_ranges() = default;
  explicit code_ranges(std::vector<extent> ranges);

  bool holds(std::uint64_t address) const;
  /// Whether a word can be a return address: it may point behind the last instruction, too.
  bool may_return_to(std::uint64_t word) const { return word != 0 && holds(word - 1); }

 private:
  std::vector<extent> ranges_;  // by address
};

class fault_words {
 public:
  /// The fault's stack pointer lies within the bounds, a word or more below their end.
  fault_words(memory& target, const fault_sample& fault, extent bounds, const code_ranges& code);

  /// Whether words that were on the stack when the fault happened are there still. False when
  /// that cannot be known.
  bool are_still_there();

  /// The stack as the library's handler would have recorded it.
  bast::watch::deepest_stack record();

 private:
  struct word {
    std::uint64_t at = 0;  // address
    std::uint64_t value = 0;
  };

  std::vector<word> witnesses() const;
  bool is_there(std::uint64_t address) const;
  bool are_equal(const std::vector<word>& expected);
  bool has_return_address();

  memory& target_;
  const fault_sample& fault_;
  extent bounds_;
  const code_ranges& code_;
  std::vector<word> came_;                 // with the fault, ascending
  std::vector<resident_extent> resident_;  // from what was touched up
};

}  // namespace bast_stacks
