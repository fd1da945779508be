// SPDX-License-Identifier: Apache-2.0
#include "code/frame_table.hpp"

#include <dlfcn.h>
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <deque>

namespace bast_stacks {
namespace {

// --- sections made by hand -----------------------------------------------------------------------

using byte_list = std::vector<std::uint8_t>;

void add_word(byte_list& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void add_entry(byte_list& out, const byte_list& body) {
  add_word(out, static_cast<std::uint32_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
}

/// "zR", relative 32-bit pointers, factors 1 and -8, the return address in register 16 at CFA-8.
byte_list shared_part(const byte_list& more = {}) {
  byte_list body;
  add_word(body, 0);
  const byte_list head{
      1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
  body.insert(body.end(), head.begin(), head.end());
  body.insert(body.end(), more.begin(), more.end());
  byte_list out;
  add_entry(out, body);
  return out;
}

/// A function of 64 bytes at address 0x1000; the section is at 0x2000.
byte_list with_function(byte_list section, const byte_list& program, std::uint32_t length = 64) {
  const auto id_at = static_cast<std::uint32_t>(section.size() + 4);
  byte_list body;
  add_word(body, id_at);
  add_word(body, 0x1000 - (0x2000 + id_at + 4));
  add_word(body, length);
  body.push_back(0);
  body.insert(body.end(), program.begin(), program.end());
  add_entry(section, body);
  return section;
}

/// A table refers to its section, so both are kept.
frame_table table_of(byte_list section) {
  static std::deque<byte_list> sections;
  return {sections.emplace_back(std::move(section)), 0x2000, EM_X86_64};
}

TEST(FrameTable, FollowsPushAndFramePointer) {
  const auto section = with_function(
      shared_part(), {DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
                      DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc | 40,
                      DW_CFA_def_cfa, 7, 8});
  const auto table = table_of(section);
  ASSERT_EQ(table.ranges().size(), 1U);
  const auto rows = table.rows(table.ranges()[0]);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].low, 0x1000U);
  EXPECT_EQ(rows[0].offset, 8);
  EXPECT_TRUE(rows[0].fp_kept);
  EXPECT_EQ(rows[1].offset, 16);
  EXPECT_FALSE(rows[1].fp_kept);
  EXPECT_EQ(rows[2].base, cfa_base::frame_pointer);
  EXPECT_EQ(rows[3].base, cfa_base::stack_pointer);
  EXPECT_EQ(rows[3].high, 0x1040U);
  EXPECT_EQ(rows[3].return_address, return_rule::saved);
  EXPECT_EQ(rows[3].return_offset, -8);
  EXPECT_EQ(table.row_at(0x1002).offset, 16);
  EXPECT_EQ(table.row_at(0x1040).base, cfa_base::unknown);
}

TEST(FrameTable, KnowsTheOutermostFrame) {
  const auto section = with_function(shared_part(), {DW_CFA_undefined, 16});
  EXPECT_EQ(table_of(section).row_at(0x1000).return_address, return_rule::none);
}

TEST(FrameTable, RemembersAndRestores) {
  const auto section = with_function(
      shared_part(), {DW_CFA_def_cfa_offset, 48, DW_CFA_advance_loc | 8, DW_CFA_remember_state,
                      DW_CFA_def_cfa_offset, 8, DW_CFA_advance_loc | 1, DW_CFA_restore_state});
  const auto table = table_of(section);
  EXPECT_EQ(table.row_at(0x1007).offset, 48);
  EXPECT_EQ(table.row_at(0x1008).offset, 8);
  EXPECT_EQ(table.row_at(0x1009).offset, 48);
}

TEST(FrameTable, ProgramsThatMakeNoSenseGiveNoRows) {
  for (const auto& program :
       {byte_list{DW_CFA_restore_state}, byte_list{0x3f},
        byte_list{DW_CFA_advance_loc4, 255, 255, 255, 255},
        byte_list{DW_CFA_def_cfa_expression, 200, 1}, byte_list{DW_CFA_advance_loc2, 1}}) {
    const auto table = table_of(with_function(shared_part(), program));
    ASSERT_EQ(table.ranges().size(), 1U);
    EXPECT_TRUE(table.rows(table.ranges()[0]).empty());
  }
}

TEST(FrameTable, CountsEntriesThatMakeNoSense) {
  byte_list section;
  add_entry(section, {99, 0, 0, 0, 1, 2, 3, 4});
  EXPECT_EQ(table_of(section).refused(), 1U);
  auto cut = with_function(shared_part(), {DW_CFA_nop});
  cut.resize(cut.size() - 1);
  EXPECT_EQ(table_of(cut).refused(), 1U);
  EXPECT_TRUE(table_of(cut).ranges().empty());
}

TEST(FrameTable, RefusesALongSharedPart) {
  const auto section = with_function(shared_part(byte_list(5000, DW_CFA_nop)), {DW_CFA_nop});
  EXPECT_TRUE(table_of(section).ranges().empty());
}

// --- against elfutils ----------------------------------------------------------------------------

/// The CFA at `at` by elfutils: register and offset.
bool true_cfa(Dwarf_CFI* table, std::uint64_t at, std::uint64_t& number, std::int64_t& offset) {
  Dwarf_Frame* frame = nullptr;
  if (dwarf_cfi_addrframe(table, at, &frame) != 0) return false;
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  const bool simple = dwarf_frame_cfa(frame, &operations, &count) == 0 && count == 1 &&
                      operations[0].atom == DW_OP_bregx;
  if (simple) {
    number = operations[0].number;
    offset = static_cast<std::int64_t>(operations[0].number2);
  }
  free(frame);
  return simple;
}

int compare(const std::string& path) {
  const auto file = elf_file::open(path);
  if (!file) return 0;
  Dwarf_CFI* const truth = dwarf_getcfi_elf((*file)->handle());
  if (truth == nullptr) return 0;
  const bool arm = (*file)->machine() == EM_AARCH64;
  const frame_table table(**file);
  EXPECT_EQ(table.refused(), 0U);
  int compared = 0;
  for (const auto& range : table.ranges()) {
    for (const auto& row : table.rows(range)) {
      std::uint64_t number = 0;
      std::int64_t offset = 0;
      if (!true_cfa(truth, row.low, number, offset)) {
        EXPECT_EQ(row.base, cfa_base::other);
        continue;
      }
      const auto base = number == (arm ? 31U : 7U)   ? cfa_base::stack_pointer
                        : number == (arm ? 29U : 6U) ? cfa_base::frame_pointer
                                                     : cfa_base::other;
      EXPECT_EQ(row.base, base) << std::hex << row.low;
      EXPECT_EQ(row.offset, offset) << std::hex << row.low;
      if (++compared == 20'000) break;
    }
    if (compared == 20'000 || ::testing::Test::HasFailure()) break;
  }
  dwarf_cfi_end(truth);
  return compared;
}

TEST(FrameTable, AgreesWithElfutilsOnAProgram) { EXPECT_GT(compare(BAST_KNOWN_FRAMES), 50); }

TEST(FrameTable, AgreesWithElfutilsOnTheCLibrary) {
  Dl_info info{};
  ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, "getaddrinfo"), &info), 0);
  EXPECT_GT(compare(info.dli_fname), 1000);
}

}  // namespace
}  // namespace bast_stacks
