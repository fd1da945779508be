// SPDX-License-Identifier: Apache-2.0
//
// Writes core files with the parts that the reader uses, for tests that control every byte.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bast_stacks::testing {

class core_writer {
 public:
  void add_memory(const void* from, std::uint64_t bytes) { add_memory(from, bytes, bytes); }
  /// Memory of which the core contains only the first bytes, as the kernel writes a mapping whose
  /// pages it omits.
  void add_memory(const void* from, std::uint64_t bytes, std::uint64_t held) {
    loads_.push_back({static_cast<const std::byte*>(from), bytes, held});
  }
  void add_note(std::uint32_t type, std::span<const std::byte> descriptor) {
    const Elf64_Nhdr header{
        .n_namesz = 5, .n_descsz = static_cast<Elf64_Word>(descriptor.size()), .n_type = type};
    append(notes_, std::as_bytes(std::span(&header, 1)));
    append(notes_, std::as_bytes(std::span("CORE\0\0\0", 8)));
    append(notes_, descriptor);
    notes_.resize((notes_.size() + 3) / 4 * 4);
  }
  /// A thread of an x86-64 process.
  void add_thread(std::uint32_t id, std::uint64_t pc, std::uint64_t sp, std::uint64_t fp) {
    std::vector<std::byte> status(336);
    std::memcpy(status.data() + 32, &id, sizeof id);
    const auto put = [&](std::size_t index, std::uint64_t value) {
      std::memcpy(status.data() + 112 + 8 * index, &value, sizeof value);
    };
    put(4, fp);
    put(16, pc);
    put(19, sp);
    add_note(NT_PRSTATUS, status);
  }
  void add_signal(std::int32_t number, std::uint64_t address) {
    std::vector<std::byte> info(128);
    std::memcpy(info.data(), &number, sizeof number);
    std::memcpy(info.data() + 16, &address, sizeof address);
    add_note(NT_SIGINFO, info);
  }
  struct mapped_file {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::uint64_t offset_pages = 0;
    std::string path;
  };
  void add_files(const std::vector<mapped_file>& files) {
    std::vector<std::uint64_t> words{files.size(), 4096};
    std::string names;
    for (const mapped_file& each : files) {
      words.insert(words.end(), {each.low, each.high, each.offset_pages});
      names += each.path + '\0';
    }
    std::vector<std::byte> bytes;
    append(bytes, std::as_bytes(std::span(words)));
    append(bytes, std::as_bytes(std::span(names)));
    add_note(NT_FILE, bytes);
  }

  std::vector<std::byte> finish() const {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_CORE;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<Elf64_Half>(loads_.size() + 1);
    std::uint64_t offset = sizeof header + (loads_.size() + 1) * sizeof(Elf64_Phdr);
    std::vector<std::byte> all;
    append(all, std::as_bytes(std::span(&header, 1)));
    Elf64_Phdr note{};
    note.p_type = PT_NOTE;
    note.p_offset = offset;
    note.p_filesz = notes_.size();
    append(all, std::as_bytes(std::span(&note, 1)));
    offset += notes_.size();
    for (const load& each : loads_) {
      Elf64_Phdr segment{};
      segment.p_type = PT_LOAD;
      segment.p_offset = offset;
      segment.p_vaddr = reinterpret_cast<std::uint64_t>(each.from);
      segment.p_filesz = each.held;
      segment.p_memsz = each.bytes;
      append(all, std::as_bytes(std::span(&segment, 1)));
      offset += each.held;
    }
    append(all, notes_);
    for (const load& each : loads_) append(all, std::span(each.from, each.held));
    return all;
  }

 private:
  struct load {
    const std::byte* from;
    std::uint64_t bytes;
    std::uint64_t held;
  };
  static void append(std::vector<std::byte>& all, std::span<const std::byte> bytes) {
    all.insert(all.end(), bytes.begin(), bytes.end());
  }

  std::vector<load> loads_;
  std::vector<std::byte> notes_;
};

}  // namespace bast_stacks::testing
