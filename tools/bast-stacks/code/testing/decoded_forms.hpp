// SPDX-License-Identifier: Apache-2.0
//
// A list of instructions, one per line: bytes in hex, a space, assembler syntax.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "code/testing/printed_step.hpp"
#include "model/parse.hpp"

namespace bast_stacks::test {

inline std::vector<std::uint8_t> bytes_of_hex(std::string_view hex) {
  std::vector<std::uint8_t> bytes;
  for (; hex.size() >= 2; hex.remove_prefix(2))
    std::from_chars(hex.data(), hex.data() + 2, bytes.emplace_back(), 16);
  return bytes;
}

/// The list with the record of each appended. An instruction is decoded at 0x1000, alone and again
/// followed by other bytes, by an engine that has decoded others: both results must be equal.
inline std::string decoded_forms(std::uint16_t machine, std::string_view list) {
  decoder used(machine);
  std::string text;
  while (!list.empty()) {
    const auto line = take_line(list);
    const auto blank = line.find(' ');
    auto bytes = bytes_of_hex(line.substr(0, blank));
    step alone;
    const bool known = decoder(machine).decode(bytes, 0x1000, alone);
    const auto size = bytes.size();
    bytes.insert(bytes.end(), {0x90, 0x90, 0x90, 0x90});
    step among;
    const bool known_too = used.decode(bytes, 0x1000, among);
    auto record = known ? printed(machine, alone) : "no instruction";
    if (known && alone.bytes != size) record += " (its length is not that of the list)";
    if (known != known_too || (known && printed(machine, among) != record))
      record += " (but differs with bytes behind it)";
    text += fmt::format("{:<34} {}\n", line.substr(blank + 1), record);
  }
  return text;
}

}  // namespace bast_stacks::test
