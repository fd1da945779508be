// SPDX-License-Identifier: Apache-2.0
#include "code/frame_rules.hpp"

#include <dwarf.h>

namespace bast_stacks {
namespace {

// Compilers nest to a depth of one.
constexpr std::size_t remembered_max = 64;

struct register_numbers {
  std::uint64_t sp;
  std::uint64_t fp;
};
// DWARF's numbers, from the psABI of each CPU.
constexpr register_numbers x86_registers{.sp = 7, .fp = 6};
constexpr register_numbers arm_registers{.sp = 31, .fp = 29};
constexpr std::uint64_t arm_link_register = 30;

constexpr const register_numbers& numbers_of(bool arm) {
  return arm ? arm_registers : x86_registers;
}

}  // namespace

frame_rules::frame_rules(const function& of) : function_(of), at_(of.low) {
  if (of.arm && of.return_register == arm_link_register)
    state_.return_address = return_rule::in_register;
  initial_ = state_;
}

bool frame_rules::run_shared(byte_span program) {
  byte_cursor at(program);
  while (!at.done()) {
    if (!step(at) || at.failed()) return false;
  }
  initial_ = state_;
  return at_ == function_.low;
}

std::vector<frame_row> frame_rules::run(byte_span program) {
  byte_cursor at(program);
  while (!at.done()) {
    if (!step(at) || at.failed()) return {};
  }
  emit(function_.high);
  return std::move(rows_);
}

void frame_rules::emit(std::uint64_t end) {
  if (end <= at_) return;
  auto row = state_;
  row.low = at_;
  row.high = end;
  rows_.push_back(row);
  at_ = end;
}

bool frame_rules::advance(std::uint64_t units) {
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(units, function_.code_factor, &bytes)) return false;
  if (bytes > function_.high - at_) return false;
  emit(at_ + bytes);
  return true;
}

std::optional<std::int64_t> frame_rules::scaled(std::int64_t factored) const {
  std::int64_t offset = 0;
  if (__builtin_mul_overflow(factored, function_.data_factor, &offset)) return std::nullopt;
  return offset;
}

void frame_rules::set_cfa(std::uint64_t number, std::int64_t offset) {
  const auto& numbers = numbers_of(function_.arm);
  state_.base = number == numbers.sp   ? cfa_base::stack_pointer
                : number == numbers.fp ? cfa_base::frame_pointer
                                       : cfa_base::other;
  state_.offset = offset;
}

void frame_rules::set_saved(std::uint64_t number, std::int64_t factored) {
  if (number == numbers_of(function_.arm).fp) state_.fp_kept = false;
  if (number != function_.return_register) return;
  const auto offset = scaled(factored);
  state_.return_address = offset ? return_rule::saved : return_rule::unknown;
  state_.return_offset = offset.value_or(0);
}

void frame_rules::set_elsewhere(std::uint64_t number, return_rule rule) {
  if (number == numbers_of(function_.arm).fp) state_.fp_kept = false;
  if (number == function_.return_register) state_.return_address = rule;
}

void frame_rules::restore(std::uint64_t number) {
  if (number == numbers_of(function_.arm).fp) state_.fp_kept = initial_.fp_kept;
  if (number != function_.return_register) return;
  state_.return_address = initial_.return_address;
  state_.return_offset = initial_.return_offset;
}

bool frame_rules::step(byte_cursor& at) {
  const unsigned byte = at.read<std::uint8_t>();
  const unsigned operand = byte & 0x3f;
  switch (byte & 0xc0) {
    case DW_CFA_advance_loc: return advance(operand);
    case DW_CFA_offset: {
      const auto offset = at.read_unsigned();
      set_saved(operand, static_cast<std::int64_t>(offset));
      return true;
    }
    case DW_CFA_restore: restore(operand); return true;
    default: return step_extended(at, byte);
  }
}

bool frame_rules::step_extended(byte_cursor& at, unsigned operation) {
  switch (operation) {
    case DW_CFA_nop: return true;
    case DW_CFA_advance_loc1: return advance(at.read<std::uint8_t>());
    case DW_CFA_advance_loc2: return advance(at.read<std::uint16_t>());
    case DW_CFA_advance_loc4: return advance(at.read<std::uint32_t>());
    case DW_CFA_def_cfa: {
      const auto number = at.read_unsigned();
      set_cfa(number, static_cast<std::int64_t>(at.read_unsigned()));
      return true;
    }
    case DW_CFA_def_cfa_sf: {
      const auto number = at.read_unsigned();
      set_cfa(number, scaled(at.read_signed()).value_or(0));
      return true;
    }
    case DW_CFA_def_cfa_register: set_cfa(at.read_unsigned(), state_.offset); return true;
    case DW_CFA_def_cfa_offset:
      state_.offset = static_cast<std::int64_t>(at.read_unsigned());
      return true;
    case DW_CFA_def_cfa_offset_sf:
      state_.offset = scaled(at.read_signed()).value_or(0);
      return true;
    case DW_CFA_def_cfa_expression:
      at.take(at.read_unsigned());
      state_.base = cfa_base::other;
      return true;
    case DW_CFA_offset_extended: {
      const auto number = at.read_unsigned();
      set_saved(number, static_cast<std::int64_t>(at.read_unsigned()));
      return true;
    }
    case DW_CFA_offset_extended_sf: {
      const auto number = at.read_unsigned();
      set_saved(number, at.read_signed());
      return true;
    }
    case DW_CFA_restore_extended: restore(at.read_unsigned()); return true;
    case DW_CFA_undefined: set_elsewhere(at.read_unsigned(), return_rule::none); return true;
    case DW_CFA_same_value: restore(at.read_unsigned()); return true;
    case DW_CFA_register:
    case DW_CFA_val_offset:
    case DW_CFA_val_offset_sf: {
      const auto number = at.read_unsigned();
      at.read_unsigned();
      set_elsewhere(number, return_rule::unknown);
      return true;
    }
    case DW_CFA_expression:
    case DW_CFA_val_expression: {
      const auto number = at.read_unsigned();
      at.take(at.read_unsigned());
      set_elsewhere(number, return_rule::unknown);
      return true;
    }
    case DW_CFA_remember_state:
      if (remembered_.size() == remembered_max) return false;
      remembered_.push_back(state_);
      return true;
    case DW_CFA_restore_state:
      if (remembered_.empty()) return false;
      state_ = remembered_.back();
      remembered_.pop_back();
      return true;
    case DW_CFA_GNU_args_size: at.read_unsigned(); return true;
    // On aarch64 the same number means that the return address is signed from here on.
    case DW_CFA_GNU_window_save: return function_.arm;
    default: return false;
  }
}

}  // namespace bast_stacks
