// SPDX-License-Identifier: Apache-2.0
//
// `fault_words`: the words of a stack on which a page fault happened. Those near the stack pointer
// were sampled with the fault. The others are read from the process afterwards, as is whether the
// first are still present; no page becomes resident.
#pragma once

#include <cstdint>
#include <vector>

#include "bast/watch/abi.hpp"
#include "read/memory.hpp"
#include "read/perf_ring.hpp"

namespace bast_stacks {

/// The address ranges of code.
class code_ranges {
 public:
  code_ranges() = default;
  explicit code_ranges(std::vector<extent> ranges);

  bool holds(std::uint64_t address) const;
  /// Whether a word can be a return address: it may point past the last instruction, too.
  bool may_return_to(std::uint64_t word) const { return word != 0 && holds(word - 1); }

 private:
  std::vector<extent> ranges_;  // by address
};

class fault_words {
 public:
  /// Requires that the fault's stack pointer is within the bounds, at least a word below their end.
  fault_words(memory& target, const fault_sample& fault, extent bounds, const code_ranges& code);

  /// Whether words that were on the stack at the fault are still present. False if that is not
  /// known.
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
  std::vector<word> came_;                 // sampled with the fault, ascending
  std::vector<resident_extent> resident_;  // from the touched address up
};

}  // namespace bast_stacks
