// SPDX-License-Identifier: Apache-2.0
//
// ELF notes: in a program they identify it, in a core file they describe the process.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace bast_stacks {

struct elf_note {
  std::string_view owner;
  std::uint32_t type = 0;
  std::span<const std::byte> descriptor;
};

/// Calls `f(elf_note)` for each note until it returns false. Stops without a call at a note that
/// reaches beyond the end. `alignment` is the segment's p_align: 8, and 4 for any other value.
template <class F>
void for_each_note(std::span<const std::byte> bytes, std::uint64_t alignment, F f) {
  const std::size_t unit = alignment == 8 ? 8 : 4;
  const auto aligned = [&](std::size_t size) { return (size + unit - 1) / unit * unit; };
  std::size_t at = 0;
  while (bytes.size() - at >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    // Sizes are 32 bits wide, so these sums cannot wrap around.
    const std::size_t descriptor = aligned(at + sizeof header + header.n_namesz);
    const std::size_t end = descriptor + header.n_descsz;
    if (end > bytes.size()) return;
    std::string_view owner(reinterpret_cast<const char*>(bytes.data()) + at + sizeof header,
                           header.n_namesz);
    owner = owner.substr(0, owner.find('\0'));
    if (!f(elf_note{.owner = owner,
                    .type = header.n_type,
                    .descriptor = bytes.subspan(descriptor, header.n_descsz)}))
      return;
    at = aligned(end);
    if (at > bytes.size()) return;
  }
}

/// The build id among notes, in hex; empty if there is none, or if it exceeds 64 bytes.
std::string build_id_in(std::span<const std::byte> notes, std::uint64_t alignment);

}  // namespace bast_stacks
