// SPDX-License-Identifier: Apache-2.0
//
// Every rule of an unwind table alone, whole and cut at each byte; every kind of entry; every
// encoding of a pointer.
#include <dwarf.h>
#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "code/frame_rules.hpp"
#include "code/testing/made_elf.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

using test::byte_list;
using test::put;

std::string rows_text(const std::vector<frame_row>& rows) {
  constexpr const char* bases[] = {"unknown", "sp", "fp", "other"};
  constexpr const char* rules[] = {"unknown", "saved", "in register", "none"};
  std::string text;
  for (const auto& row : rows)
    text += fmt::format("  {:#x}-{:#x} {}{:+} return {}{:+}{}\n", row.low, row.high,
                        bases[static_cast<int>(row.base)], row.offset,
                        rules[static_cast<int>(row.return_address)], row.return_offset,
                        row.fp_kept ? "" : " fp lost");
  return text.empty() ? "  none\n" : text;
}

struct rule {
  const char* name;
  byte_list bytes;
};

/// 0x86 0x01 is 134, 0x7d is 125 or -3.
std::vector<rule> rules_of(std::uint8_t sp, std::uint8_t fp, std::uint8_t link) {
  std::vector<rule> all{{"nop", {DW_CFA_nop}},
                        {"advance 5", {DW_CFA_advance_loc | 5}},
                        {"advance 1 byte", {DW_CFA_advance_loc1, 9}},
                        {"advance 2 bytes", {DW_CFA_advance_loc2, 15, 0}},
                        {"advance 4 bytes", {DW_CFA_advance_loc4, 3, 0, 0, 0}},
                        {"advance to the end", {DW_CFA_advance_loc | 16}},
                        {"advance behind the end", {DW_CFA_advance_loc | 17}},
                        {"advance by nothing", {DW_CFA_advance_loc}},
                        {"cfa sp", {DW_CFA_def_cfa, sp, 0x86, 1}},
                        {"cfa fp", {DW_CFA_def_cfa, fp, 0x7d}},
                        {"cfa other", {DW_CFA_def_cfa, 3, 0x7d}},
                        {"cfa sp factored", {DW_CFA_def_cfa_sf, sp, 0x7d}},
                        {"cfa register", {DW_CFA_def_cfa_register, fp}},
                        {"cfa offset", {DW_CFA_def_cfa_offset, 0x86, 1}},
                        {"cfa offset factored", {DW_CFA_def_cfa_offset_sf, 0x7d}},
                        {"cfa expression", {DW_CFA_def_cfa_expression, 2, 0x77, 8}},
                        {"return saved", {static_cast<std::uint8_t>(DW_CFA_offset | link), 3}},
                        {"fp saved", {static_cast<std::uint8_t>(DW_CFA_offset | fp), 4}},
                        {"another saved", {DW_CFA_offset | 3, 4}},
                        {"return saved far", {DW_CFA_offset_extended, link, 0x86, 1}},
                        {"fp saved far", {DW_CFA_offset_extended, fp, 7}},
                        {"return saved above", {DW_CFA_offset_extended_sf, link, 0x7d}},
                        {"fp saved above", {DW_CFA_offset_extended_sf, fp, 0x7d}},
                        {"return undefined", {DW_CFA_undefined, link}},
                        {"fp undefined", {DW_CFA_undefined, fp}},
                        {"another undefined", {DW_CFA_undefined, 3}},
                        {"return in a register", {DW_CFA_register, link, 3}},
                        {"fp in a register", {DW_CFA_register, fp, 3}},
                        {"return is an offset", {DW_CFA_val_offset, link, 0x86, 1}},
                        {"return is a factored offset", {DW_CFA_val_offset_sf, link, 0x7d}},
                        {"return by an expression", {DW_CFA_expression, link, 1, 0x50}},
                        {"fp by an expression", {DW_CFA_expression, fp, 1, 0x50}},
                        {"return is an expression", {DW_CFA_val_expression, link, 2, 0x50, 0x51}},
                        {"size of arguments", {DW_CFA_GNU_args_size, 0x86, 1}},
                        {"signed return", {DW_CFA_GNU_window_save}},
                        {"restore without a state", {DW_CFA_restore_state}},
                        {"unknown rule", {0x3f}},
                        {"unknown rule 17", {0x17}}};
  // Restoring rules: first a change, then the state of the shared part.
  const byte_list changed{
      DW_CFA_offset_extended, fp, 7, DW_CFA_undefined, link, DW_CFA_def_cfa_offset, 48,
      DW_CFA_advance_loc | 2};
  const auto after = [&](const char* name, const byte_list& then) {
    auto bytes = changed;
    bytes.insert(bytes.end(), then.begin(), then.end());
    all.push_back({name, bytes});
  };
  after("changed", {});
  after("restore return", {static_cast<std::uint8_t>(DW_CFA_restore | link)});
  after("restore fp", {static_cast<std::uint8_t>(DW_CFA_restore | fp)});
  after("restore another", {DW_CFA_restore | 3});
  after("restore return far", {DW_CFA_restore_extended, link});
  after("restore fp far", {DW_CFA_restore_extended, fp});
  after("same return", {DW_CFA_same_value, link});
  after("same fp", {DW_CFA_same_value, fp});
  after("remember and restore", {DW_CFA_remember_state, DW_CFA_def_cfa, fp, 5, DW_CFA_offset | 3, 1,
                                 DW_CFA_advance_loc | 3, DW_CFA_restore_state});
  return all;
}

std::string all_rules(bool arm) {
  const std::uint8_t sp = arm ? 31 : 7;
  const std::uint8_t fp = arm ? 29 : 6;
  const std::uint8_t link = arm ? 30 : 16;
  const frame_rules::function function{.arm = arm,
                                       .code_factor = arm ? 4U : 1U,
                                       .data_factor = -8,
                                       .return_register = link,
                                       .low = 0x1000,
                                       .high = arm ? 0x1040U : 0x1010U};
  byte_list shared{DW_CFA_def_cfa, sp, arm ? std::uint8_t{0} : std::uint8_t{8}};
  if (!arm) shared.insert(shared.end(), {DW_CFA_offset | 16, 1});
  const auto rows = [&](byte_span program) {
    frame_rules rules(function);
    EXPECT_TRUE(rules.run_shared(shared));
    return rows_text(rules.run(program));
  };
  std::string text;
  for (const auto& one : rules_of(sp, fp, link)) {
    text += fmt::format("{}\n{}", one.name, rows(one.bytes));
    // Cut: if the last rule lacks a byte there are no rows.
    if (one.bytes.size() > 1 && one.bytes.size() < 8) {
      EXPECT_EQ(rows(byte_span(one.bytes).first(one.bytes.size() - 1)), "  none\n") << one.name;
    }
  }
  text += "nothing\n" + rows({});
  // As many states as are kept, and one more.
  for (const std::size_t states : {64U, 65U})
    text += fmt::format("{} states\n{}", states, rows(byte_list(states, DW_CFA_remember_state)));
  frame_rules moves(function);
  EXPECT_FALSE(moves.run_shared(byte_list{DW_CFA_advance_loc | 1}));
  frame_rules cut(function);
  EXPECT_FALSE(cut.run_shared(byte_list{DW_CFA_def_cfa, sp}));
  frame_rules still(function);
  EXPECT_TRUE(still.run_shared(byte_list{DW_CFA_advance_loc}));
  return text;
}

TEST(FrameWhole, EveryRule) {
  test::expect_whole("code/whole/rules_x86.txt", all_rules(false));
  test::expect_whole("code/whole/rules_arm.txt", all_rules(true));
}

TEST(FrameWhole, FactorsThatWrapAroundGiveNothing) {
  const auto rows = [](const frame_rules::function& of, const byte_list& program) {
    frame_rules rules(of);
    return rows_text(rules.run(program));
  };
  frame_rules::function huge{.code_factor = ~std::uint64_t{0},
                             .data_factor = INT64_MAX,
                             .return_register = 16,
                             .low = 0x1000,
                             .high = 0x1010};
  EXPECT_EQ(rows(huge, {DW_CFA_advance_loc | 2}), "  none\n");
  EXPECT_EQ(rows(huge, {DW_CFA_def_cfa_sf, 7, 2}), "  0x1000-0x1010 sp+0 return unknown+0\n");
  EXPECT_EQ(rows(huge, {DW_CFA_def_cfa, 7, 3, DW_CFA_def_cfa_offset_sf, 2}),
            "  0x1000-0x1010 sp+0 return unknown+0\n");
  EXPECT_EQ(rows(huge, {DW_CFA_offset | 16, 2}), "  0x1000-0x1010 unknown+0 return unknown+0\n");
  EXPECT_EQ(rows(huge, {DW_CFA_offset | 16, 1}),
            "  0x1000-0x1010 unknown+0 return saved+9223372036854775807\n");
}

// --- entries -------------------------------------------------------------------------------------

byte_list entry(const byte_list& body, bool wide = false) {
  byte_list out;
  if (wide) {
    put(out, ~std::uint32_t{0});
    put(out, std::uint64_t{body.size()});
  } else {
    put(out, static_cast<std::uint32_t>(body.size()));
  }
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

byte_list shared_entry(std::uint8_t version, const std::string& letters, const byte_list& rest,
                       bool wide = false) {
  byte_list body{0, 0, 0, 0, version};
  for (const char letter : letters) body.push_back(static_cast<std::uint8_t>(letter));
  body.push_back(0);
  body.insert(body.end(), {1, 0x78, 16});
  body.insert(body.end(), rest.begin(), rest.end());
  body.insert(body.end(), {DW_CFA_def_cfa, 7, 8});
  return entry(body, wide);
}

/// A function after `section`, whose shared part begins at 0: the construction of its pointers.
byte_list with_entry(byte_list section, const byte_list& pointers, bool wide = false,
                     std::uint32_t beside = 0) {
  const auto id_at = static_cast<std::uint32_t>(section.size() + (wide ? 12 : 4));
  byte_list body;
  put(body, id_at + beside);
  body.insert(body.end(), pointers.begin(), pointers.end());
  const auto made = entry(body, wide);
  section.insert(section.end(), made.begin(), made.end());
  return section;
}

std::string table_text(const byte_list& section) {
  const frame_table table(section, 0x2000, EM_X86_64);
  std::string text = fmt::format("refused {}\n", table.refused());
  for (const auto& range : table.ranges())
    text += fmt::format("  {:#x}-{:#x} of {}\n", range.low, range.high, range.description) +
            rows_text(table.rows(range));
  return text;
}

byte_list pointers(std::uint64_t low, std::uint64_t bytes, const byte_list& rest = {}) {
  byte_list out;
  put(out, low);
  put(out, bytes);
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

TEST(FrameWhole, EveryKindOfEntry) {
  std::string text;
  for (std::uint8_t version = 0; version <= 5; ++version)
    text += fmt::format("version {}\n", version) +
            table_text(with_entry(shared_entry(version, "", {}), pointers(0x1000, 16)));
  const std::pair<const char*, byte_list> augmented[] = {
      {"z", {0}},
      {"zR", {1, 0}},
      {"zL", {1, 5}},
      {"zPR", {10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0}},
      {"zPLR", {7, 0x9b, 1, 2, 3, 4, 5, 0}},
      {"zRS", {1, 0}},
      {"zRB", {1, 0}},
      {"zX", {0}},
      {"R", {0}},
      {"eh", {0}},
      {"zRR", {2, 0x1b, 0}},
      {"Rz", {0, 0}}};
  for (const auto& [letters, rest] : augmented)
    text += fmt::format("\"{}\"\n", letters) +
            table_text(with_entry(shared_entry(1, letters, rest), pointers(0x1000, 16, {0})));
  const auto plain = shared_entry(1, "", {});
  const std::tuple<const char*, std::uint64_t, std::uint64_t> bounds[] = {
      {"no bytes", 0x1000, 0},
      {"at address 0", 0, 16},
      {"to the last address", ~std::uint64_t{15}, 15},
      {"behind the last address", ~std::uint64_t{15}, 16},
      {"around", ~std::uint64_t{15}, 17}};
  for (const auto& [name, low, bytes] : bounds)
    text += fmt::format("{}\n", name) + table_text(with_entry(plain, pointers(low, bytes)));
  text +=
      "wide\n" + table_text(with_entry(shared_entry(1, "", {}, true), pointers(0x1000, 16), true));
  text += "a shared part before the section\n" +
          table_text(with_entry(plain, pointers(0x1000, 16), false, 1));
  text += "a shared part that is none\n" +
          table_text(with_entry(plain, pointers(0x1000, 16), false, ~std::uint32_t{3}));
  auto ended = with_entry(plain, pointers(0x1000, 16));
  put(ended, std::uint32_t{0});
  text += "two with an end between\n" + table_text(with_entry(ended, pointers(0x1008, 16)));
  text += "twice the same\n" +
          table_text(with_entry(with_entry(plain, pointers(0x1000, 16)), pointers(0x1000, 16)));
  test::expect_whole("code/whole/frame_entries.txt", text);
}

TEST(FrameWhole, ASharedPartHas4096BytesOfRulesAtMost) {
  for (const std::size_t more : {4093U, 4094U}) {
    byte_list rest{0};
    rest.insert(rest.end(), more, DW_CFA_nop);
    auto shared = shared_entry(1, "z", rest);
    EXPECT_EQ(table_text(with_entry(shared, pointers(0x1000, 16, {0}))).starts_with("refused 0"),
              more == 4093)
        << more;
  }
}

TEST(FrameWhole, EveryEncodingOfAPointer) {
  std::string text;
  for (unsigned encoding = 0; encoding < 256; ++encoding) {
    const auto shared = shared_entry(1, "zR", {1, static_cast<std::uint8_t>(encoding)});
    const auto found = frame_table(with_entry(shared, {0x10, 0x20, 0x30, 0x04, 0x05, 0x06, 0x07,
                                                       0x08, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
                                   0x2000, EM_X86_64);
    for (const auto& range : found.ranges())
      text += fmt::format("{:02x} {:#x}-{:#x}\n", encoding, range.low, range.high);
  }
  test::expect_whole("code/whole/frame_encodings.txt", text);
}

}  // namespace
}  // namespace bast_stacks
