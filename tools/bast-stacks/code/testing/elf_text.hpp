// SPDX-License-Identifier: Apache-2.0
//
// Everything read from a file, as text.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "code/elf_file.hpp"
#include "code/testing/made_elf.hpp"

namespace bast_stacks::test {

constexpr std::uint64_t executed = SHF_ALLOC | SHF_EXECINSTR;

inline std::string functions_text(const elf_file& file) {
  std::string text;
  for (const auto& one : file.functions()) {
    text += fmt::format(
        "function {:#x}+{} {}{}{}\n", one.address, one.bytes,
        one.name.size() < 40 ? std::string(one.name) : fmt::format("({} letters)", one.name.size()),
        one.exported ? " exported" : "", one.chosen_at_load ? " chosen" : "");
  }
  return text;
}

inline std::string sections_text(const elf_file& file) {
  std::string text = fmt::format("machine {} id \"{}\"\n", file.machine(), file.build_id());
  for (const auto& one : file.sections()) {
    text += fmt::format("section {} \"{}\" type {} flags {:#x} at {:#x}+{} link {}, {} bytes\n",
                        one.index, one.name, one.type, one.flags, one.address, one.bytes, one.link,
                        file.contents(one).size());
  }
  return text;
}

inline std::string dynamic_text(const elf_file& file) {
  std::string text =
      fmt::format("run path \"{}\"{}\n", file.run_path(), file.binds_now() ? ", binds now" : "");
  for (const auto& name : file.needed()) text += fmt::format("needs {}\n", name);
  for (std::uint64_t at = 0x3000; at < 0x3080; at += 8) {
    const auto* const one = file.relocation_at(at);
    EXPECT_EQ(file.relocation_at(at + 1), nullptr);
    if (one == nullptr) continue;
    text += fmt::format("at {:#x} \"{}\" {:#x}{}{}{}\n", one->at, one->symbol, one->value,
                        one->chosen_at_load ? " chosen" : "", one->lazy ? " lazy" : "",
                        one->weak ? " weak" : "");
  }
  return text;
}

inline std::string whole_text(const byte_list& image) {
  const auto file = elf_file::open(image, "made");
  if (!file) {
    EXPECT_EQ(file.error().status, 3);
    EXPECT_EQ(file.error().remedy, "");
    return file.error().what + '\n';
  }
  EXPECT_EQ((*file)->path(), "made");
  return sections_text(**file) + functions_text(**file) + dynamic_text(**file);
}

}  // namespace bast_stacks::test
