// SPDX-License-Identifier: Apache-2.0
#include "model/elf_notes.hpp"

#include <fmt/format.h>

namespace bast_stacks {

std::string build_id_in(std::span<const std::byte> notes, std::uint64_t alignment) {
  constexpr std::size_t bytes_max = 64;  // linkers write 8 to 20
  std::string id;
  for_each_note(notes, alignment, [&](const elf_note& note) {
    if (note.owner != ELF_NOTE_GNU || note.type != NT_GNU_BUILD_ID) return true;
    if (note.descriptor.size() > bytes_max) return true;
    for (const std::byte each : note.descriptor)
      id += fmt::format("{:02x}", static_cast<unsigned>(each));
    return false;
  });
  return id;
}

}  // namespace bast_stacks
