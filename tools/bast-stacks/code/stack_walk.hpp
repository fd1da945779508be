// SPDX-License-Identifier: Apache-2.0
//
// `stack_walk`: one recorded stack, from its deepest frame outwards.
//
// A position is a distance in bytes from the top of the stack: it decreases during the walk. The
// record is hostile; the walk ends because it never takes the same word twice.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "code/module_set.hpp"

namespace bast_stacks {

class stack_walk {
 public:
  stack_walk(const bast::watch::deepest_stack& raw, module_set& modules);
  backtrace run();

 private:
  /// A word that points after a call.
  struct word {
    std::uint64_t at = 0;  // position
    std::uint64_t pc = 0;
  };
  /// What is known of a frame before its caller is known.
  struct frame_end {
    std::optional<std::uint64_t> cfa;        // position
    std::optional<std::uint64_t> return_at;  // position
    bool outermost = false;                  // by the tables it has no caller
    bool beyond = false;                     // it ends above the top, so this stack ends in it
    bool fp_kept = false;
  };
  struct caller {
    std::size_t index = 0;    // in words_
    std::uint64_t start = 0;  // position of the stack pointer in the caller, after the call
    bool confirmed = false;
    bool behind_gap = false;
  };

  frame_end end_of(std::uint64_t pc, std::uint64_t sp, std::optional<std::uint64_t> fp);
  std::uint64_t fitting(const stack_bytes& taken, std::uint64_t sp, const frame_row& row) const;
  static void set_cfa(frame_end& end, std::uint64_t from, std::int64_t bytes);
  std::optional<caller> caller_of(const frame_end& end);
  std::optional<caller> nearest(std::size_t from, std::size_t to, std::uint64_t below);
  std::optional<std::size_t> word_at(std::uint64_t position) const;
  /// The evidence that a word is a return address.
  enum class likelihood : std::uint8_t { beyond, possible, leads_on };
  likelihood judge(const word& candidate);
  void add(std::uint64_t pc, std::uint64_t until, bool confirmed);
  void add_before_gap(std::uint64_t pc, const frame_end& end, std::uint64_t until);

  module_set& modules_;
  const bool arm_;
  std::vector<word> words_;  // deepest first
  std::size_t gap_;          // the words before this one have no gap; all, if there is none
  std::size_t next_ = 0;     // words before it have been passed
  std::uint64_t pc_;
  std::uint64_t sp_;                 // position
  std::optional<std::uint64_t> fp_;  // position, while it is known
  std::uint64_t left_;               // bytes that belong to no frame yet
  bool cut_;                         // words were left out
  backtrace result_;
};

}  // namespace bast_stacks
