// SPDX-License-Identifier: Apache-2.0
//
// A decoded instruction as text, with every field that differs from an empty record.
#pragma once

#include <capstone.h>
#include <elf.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "code/decoder.hpp"

namespace bast_stacks::test {

/// Capstone's name of a register, so that the text does not depend on its numbers.
inline std::string register_name(std::uint16_t machine, unsigned number) {
  const bool arm = machine == EM_AARCH64;
  csh engine = 0;
  if (cs_open(arm ? CS_ARCH_ARM64 : CS_ARCH_X86, arm ? CS_MODE_ARM : CS_MODE_64, &engine) !=
      CS_ERR_OK)
    return "?";
  const char* const name = cs_reg_name(engine, number);
  std::string text = name == nullptr ? "?" : name;
  cs_close(&engine);
  return text;
}

inline std::string printed(std::uint16_t machine, const step& of) {
  constexpr const char* flows[] = {"", ", call", ", jump", ", branch", ", leaves"};
  constexpr const char* targets[] = {"", " to", " through", " to unknown"};
  constexpr const char* changes[] = {"", ", sp by", ", sp from", ", sp loaded", ", sp unknown"};
  constexpr const char* others[] = {"", "copies sp", "adds", "loaded", "overwritten"};
  const auto name = [&](unsigned number) { return register_name(machine, number); };
  std::string text = fmt::format("{:#x}+{}", of.pc, of.bytes);
  text += flows[static_cast<int>(of.leads)];
  text += targets[static_cast<int>(of.target_is)];
  if (of.target != 0) text += fmt::format(" {:#x}", of.target);
  text += changes[static_cast<int>(of.change)];
  if (of.from != 0) text += " " + name(of.from);
  if (of.change == sp_change::by || of.amount != 0) text += fmt::format(" {}", of.amount);
  if (of.alignment != 1) text += fmt::format(", aligned to {}", of.alignment);
  if (of.other != register_change::none)
    text += fmt::format(", {} {}", name(of.other_register), others[static_cast<int>(of.other)]);
  if (of.other == register_change::none && of.other_register != 0)
    text += fmt::format(", {} without a change", name(of.other_register));
  if (of.other_second != 0) text += " with " + name(of.other_second);
  const bool loads = of.other == register_change::loaded || of.change == sp_change::loaded;
  if (loads && of.from_frame) text += " of the frame";
  if (of.other_amount != 0) text += fmt::format(" {}", of.other_amount);
  if (of.compared_with_sp != 0) text += ", compares " + name(of.compared_with_sp);
  if (of.below_sp != 0) text += fmt::format(", touches {} below sp", of.below_sp);
  if (of.below_fp != 0) text += fmt::format(", touches {} below fp", of.below_fp);
  if (of.reads_table) text += ", reads a table";
  if (of.names_code != 0) text += fmt::format(", names {:#x}", of.names_code);
  return text;
}

}  // namespace bast_stacks::test
