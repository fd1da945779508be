// SPDX-License-Identifier: Apache-2.0
#include "read/elf_image.hpp"

#include <elf.h>

#include <cstring>
#include <string_view>

#include "model/elf_notes.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t image_segments_max = 256;
constexpr std::uint64_t image_notes_max = 256 << 10;  // bytes of one segment

class image_reader {
 public:
  explicit image_reader(const elf_place& place) : place_(place) {}

  std::optional<elf_image> read() {
    Elf64_Ehdr header{};
    if (!at(0, place_.base, header)) return std::nullopt;
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
    elf_image image;
    image.is_64_bit = header.e_ident[EI_CLASS] == ELFCLASS64;
    if (!image.is_64_bit || header.e_ident[EI_DATA] != ELFDATA2LSB) return image;
    if (header.e_phentsize != sizeof(Elf64_Phdr)) return image;

    std::vector<Elf64_Phdr> segments(std::min<std::size_t>(header.e_phnum, image_segments_max));
    if (!at(header.e_phoff, place_.base + header.e_phoff,
            std::as_writable_bytes(std::span(segments))))
      return image;
    image.bias = bias(segments);
    for (const Elf64_Phdr& segment : segments) {
      if (segment.p_type == PT_NOTE) notes(segment, image);
    }
    return image;
  }

 private:
  bool at(std::uint64_t offset, std::uint64_t address, std::span<std::byte> into) {
    if (place_.mapped != nullptr && place_.mapped->read(address, into)) return true;
    return place_.file != nullptr && place_.file->read_all_at(offset, into);
  }
  template <class T>
    requires std::is_trivially_copyable_v<T>
  bool at(std::uint64_t offset, std::uint64_t address, T& into) {
    return at(offset, address, std::as_writable_bytes(std::span(&into, 1)));
  }

  /// Addresses wrap around like those of the dynamic loader: any value is safe, since it is only
  /// looked up.
  std::uint64_t bias(std::span<const Elf64_Phdr> segments) const {
    for (const Elf64_Phdr& segment : segments) {
      if (segment.p_type == PT_LOAD) return place_.base - (segment.p_vaddr - segment.p_offset);
    }
    return place_.base;
  }

  void notes(const Elf64_Phdr& segment, elf_image& image) {
    if (segment.p_filesz > image_notes_max) return;
    std::vector<std::byte> bytes(segment.p_filesz);
    const std::uint64_t address = image.bias + segment.p_vaddr;
    if (!at(segment.p_offset, address, bytes)) return;
    if (image.build_id.empty()) image.build_id = build_id_in(bytes, segment.p_align);
    for_each_note(bytes, segment.p_align, [&](const elf_note& note) {
      bast::watch::note ours{};
      if (note.owner == bast::watch::note_owner && note.type == bast::watch::note_type &&
          note.descriptor.size() == sizeof ours) {
        std::memcpy(&ours, note.descriptor.data(), sizeof ours);
        const auto offset = static_cast<std::uint64_t>(note.descriptor.data() - bytes.data());
        image.anchors.push_back(address + offset +
                                static_cast<std::uint64_t>(ours.anchor_distance));
      }
      return true;
    });
  }

  elf_place place_;
};

}  // namespace

std::optional<elf_image> read_elf_image(const elf_place& place) {
  return image_reader(place).read();
}

}  // namespace bast_stacks
