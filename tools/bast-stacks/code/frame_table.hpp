// SPDX-License-Identifier: Apache-2.0
//
// `frame_table`: the data of .eh_frame for each instruction: the end of its frame (the CFA,
// "canonical frame address": the stack pointer before the call, on x86-64; at entry, on aarch64)
// and the place of the return address. Every program has these tables, because exceptions need
// them; no flags and no debug information are needed.
//
// The section is hostile. Work is linear in its size: the rules of a function are read once per
// query, and long shared rules are refused.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "code/elf_file.hpp"

namespace bast_stacks {

enum class cfa_base : std::uint8_t { unknown, stack_pointer, frame_pointer, other };
enum class return_rule : std::uint8_t {
  unknown,
  saved,        // at CFA + return_offset
  in_register,  // aarch64: in x30
  none,         // no caller: the outermost frame
};

/// Valid for the instructions in [low, high).
struct frame_row {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  cfa_base base = cfa_base::unknown;
  std::int64_t offset = 0;  // CFA = register + offset, bytes
  return_rule return_address = return_rule::unknown;
  std::int64_t return_offset = 0;
  bool fp_kept = true;  // the frame pointer register still holds the caller's value
};

/// A function, or a part of one that the compiler moved away (".cold").
struct unwound_range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::uint64_t description = 0;  // offset of its entry in the section
};

class frame_table {
 public:
  /// Of a file's .eh_frame; empty when it has none. The file must outlive it.
  explicit frame_table(const elf_file& file);
  /// Of the bytes of a section that is loaded at `address`.
  frame_table(byte_span section, std::uint64_t address, std::uint16_t machine);

  const std::vector<unwound_range>& ranges() const { return ranges_; }
  const unwound_range* range_at(std::uint64_t pc) const;
  /// In order of address, without overlap. Empty if its entry is invalid.
  std::vector<frame_row> rows(const unwound_range& range) const;
  /// The row of one instruction; base `unknown` if there is none.
  frame_row row_at(std::uint64_t pc) const;
  /// Bytes between CFA and stack pointer at the entry of a function.
  std::int64_t entry_bytes() const { return arm_ ? 0 : 8; }
  /// The number of invalid entries.
  std::size_t refused() const { return refused_; }

 private:
  struct shared_part {  // a CIE
    bool good = false;
    std::uint64_t code_factor = 1;
    std::int64_t data_factor = 1;
    std::uint64_t return_register = 0;
    std::uint8_t encoding = 0;
    bool has_augmentation = false;
    byte_span program;
  };
  void read();
  void read_range(std::uint64_t start, byte_span entry, std::size_t id_at);
  const shared_part& shared_at(std::uint64_t offset);
  shared_part parse_shared(byte_span entry) const;

  byte_span section_;
  std::uint64_t address_ = 0;
  bool arm_ = false;
  std::vector<unwound_range> ranges_;  // by address, without overlap
  std::unordered_map<std::uint64_t, shared_part> shared_;
  struct description {
    std::uint64_t shared = 0;
    byte_span program;
  };
  std::unordered_map<std::uint64_t, description> descriptions_;
  std::size_t refused_ = 0;
};

}  // namespace bast_stacks
