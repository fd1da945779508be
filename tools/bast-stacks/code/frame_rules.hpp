// SPDX-License-Identifier: Apache-2.0
//
// `frame_rules`: executes the rules of one function in .eh_frame and tracks three registers: the
// CFA, the return address, the frame pointer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "code/byte_cursor.hpp"
#include "code/frame_table.hpp"

namespace bast_stacks {

class frame_rules {
 public:
  struct function {
    bool arm = false;
    std::uint64_t code_factor = 1;
    std::int64_t data_factor = 1;
    std::uint64_t return_register = 0;
    std::uint64_t low = 0;
    std::uint64_t high = 0;
  };
  explicit frame_rules(const function& of);

  /// The rules that functions share. False if they are invalid.
  bool run_shared(byte_span program);
  /// The rows of the function; empty if its rules are invalid.
  std::vector<frame_row> run(byte_span program);

 private:
  bool step(byte_cursor& at);
  bool step_extended(byte_cursor& at, unsigned operation);
  bool advance(std::uint64_t units);
  /// An offset in bytes; empty if it would wrap around.
  std::optional<std::int64_t> scaled(std::int64_t factored) const;
  void set_cfa(std::uint64_t number, std::int64_t offset);
  void set_saved(std::uint64_t number, std::int64_t factored);
  void set_elsewhere(std::uint64_t number, return_rule rule);
  void restore(std::uint64_t number);
  void emit(std::uint64_t end);

  function function_;
  std::uint64_t at_;
  frame_row state_;
  frame_row initial_;
  std::vector<frame_row> remembered_;
  std::vector<frame_row> rows_;
};

}  // namespace bast_stacks
