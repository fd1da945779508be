// SPDX-License-Identifier: Apache-2.0
#include "read/core_file.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstring>

#include "model/clean_text.hpp"
#include "model/elf_notes.hpp"
#include "model/mutant.hpp"
#include "read/fail.hpp"

namespace bast_stacks {
namespace {

constexpr std::uint64_t segments_max = 1 << 20;  // two mappings per stack add up
constexpr std::uint64_t notes_max = 256 << 20;

/// A value at an offset of a note's descriptor, or 0 if the descriptor is too short.
template <class T>
T value_at(std::span<const std::byte> bytes, std::size_t offset) {
  T value{};
  if (offset <= bytes.size() && bytes.size() - offset >= sizeof value)
    std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// struct elf_prstatus and elf_prpsinfo of linux/elfcore.h, the same on both CPUs up to the
// registers: offsets in bytes.
constexpr std::size_t prstatus_pid = 32;
constexpr std::size_t prstatus_registers = 112;
constexpr std::size_t prpsinfo_pid = 24;
constexpr std::size_t prpsinfo_name = 40;
constexpr std::size_t prpsinfo_name_bytes = 16;
// siginfo_t.
constexpr std::size_t siginfo_signal = 0;
constexpr std::size_t siginfo_address = 16;

/// The indices of a CPU's registers (asm/user.h, asm/ptrace.h).
struct register_places {
  std::size_t sp;
  std::size_t pc;
  std::size_t fp;
};
constexpr register_places x86_64_places{.sp = 19, .pc = 16, .fp = 4};
constexpr register_places aarch64_places{.sp = 31, .pc = 32, .fp = 29};

class parser {
 public:
  explicit parser(std::shared_ptr<const source> bytes) : bytes_(std::move(bytes)) {}

  std::expected<core_file, problem> run() {
    if (auto good = read_header(); !good) return std::unexpected(good.error());
    std::vector<file_part> parts;
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_LOAD && segment.p_filesz != 0) {
        const bool no_holes = BAST_STACKS_MUTANT(hole_read_from_the_file);
        parts.push_back(
            {.address = segment.p_vaddr,
             .bytes = no_holes ? segment.p_memsz : std::min(segment.p_filesz, segment.p_memsz),
             .offset = segment.p_offset});
        const auto end = sum(segment.p_offset, segment.p_filesz);
        core_.truncated |= !end || *end > bytes_->size();
      } else if (segment.p_type == PT_NOTE) {
        read_notes(segment);
      }
    }
    core_.memory = std::make_unique<file_memory>(bytes_, std::move(parts));
    return std::move(core_);
  }

 private:
  std::expected<void, problem> read_header() {
    Elf64_Ehdr header{};
    if (!bytes_->read_record(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
      return fail("it is not an ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64) return fail("it is a 32-bit ELF file");
    if (header.e_ident[EI_DATA] != ELFDATA2LSB) return fail("it is big-endian");
    if (header.e_type != ET_CORE) return fail("it is an ELF file, but no core");
    if (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64)
      return fail(
          fmt::format("it is of machine {}; bast runs on x86-64 and aarch64", header.e_machine));
    machine_ = header.e_machine;
    if (header.e_phentsize != sizeof(Elf64_Phdr))
      return fail(fmt::format("its e_phentsize is {}", header.e_phentsize));
    std::uint64_t count = header.e_phnum;
    if (count == PN_XNUM) {  // The true number is in the first section header.
      Elf64_Shdr first{};
      if (!bytes_->read_record(header.e_shoff, first))
        return fail("its first section header is not there");
      count = first.sh_info;
    }
    if (count > segments_max || count * sizeof(Elf64_Phdr) > bytes_->size())
      return fail(fmt::format("it has {} program headers in {} bytes", count, bytes_->size()));
    segments_.resize(count);
    if (!bytes_->read_all_at(header.e_phoff, std::as_writable_bytes(std::span(segments_))))
      return fail("its program headers are not there");
    return {};
  }

  void read_notes(const Elf64_Phdr& segment) {
    if (segment.p_filesz > std::min(notes_max, bytes_->size())) {
      core_.truncated = true;
      return;
    }
    std::vector<std::byte> bytes(segment.p_filesz);
    if (!bytes_->read_all_at(segment.p_offset, bytes)) core_.truncated = true;
    for_each_note(bytes, segment.p_align, [&](const elf_note& note) {
      if (note.owner == "CORE") take(note);
      return true;
    });
  }

  void take(const elf_note& note) {
    switch (note.type) {
      case NT_PRSTATUS: return take_thread(note.descriptor);
      case NT_PRPSINFO: return take_process(note.descriptor);
      case NT_SIGINFO: return take_signal(note.descriptor);
      case NT_AUXV: return take_auxiliary(note.descriptor);
      case NT_FILE: return take_files(note.descriptor);
      default: return;
    }
  }

  void take_thread(std::span<const std::byte> status) {
    const register_places& places = machine_ == EM_X86_64 ? x86_64_places : aarch64_places;
    const auto word = [&](std::size_t index) {
      return value_at<std::uint64_t>(status, prstatus_registers + 8 * index);
    };
    core_.threads.push_back({.id = value_at<std::uint32_t>(status, prstatus_pid),
                             .sp = word(places.sp),
                             .pc = word(places.pc),
                             .fp = word(places.fp)});
  }

  void take_process(std::span<const std::byte> info) {
    core_.pid = value_at<std::uint32_t>(info, prpsinfo_pid);
    if (info.size() < prpsinfo_name + prpsinfo_name_bytes) return;
    core_.process_name = clean_field(
        {reinterpret_cast<const char*>(info.data()) + prpsinfo_name, prpsinfo_name_bytes});
  }

  /// One per thread; the first belongs to the thread that died.
  void take_signal(std::span<const std::byte> info) {
    const auto signal = value_at<std::int32_t>(info, siginfo_signal);
    if ((signal == SIGSEGV || signal == SIGBUS) && !has_signal_)
      core_.fault_address = value_at<std::uint64_t>(info, siginfo_address);
    has_signal_ = true;
  }

  void take_auxiliary(std::span<const std::byte> vector) {
    for (std::size_t at = 0; at + 16 <= vector.size(); at += 16) {
      if (value_at<std::uint64_t>(vector, at) == AT_PHDR)
        core_.program_headers = value_at<std::uint64_t>(vector, at + 8);
    }
  }

  /// u64 count, u64 page; count times u64 start, end, offset in pages; count strings.
  void take_files(std::span<const std::byte> files) {
    const auto count = value_at<std::uint64_t>(files, 0);
    const auto page = value_at<std::uint64_t>(files, 8);
    if (count > files.size() / 24 || 16 + count * 24 > files.size()) {
      core_.truncated = true;
      return;
    }
    std::string_view names(reinterpret_cast<const char*>(files.data()), files.size());
    names.remove_prefix(16 + count * 24);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::size_t at = 16 + i * 24;
      mapping next{.where = {.low = value_at<std::uint64_t>(files, at),
                             .high = value_at<std::uint64_t>(files, at + 8)},
                   .offset = product(value_at<std::uint64_t>(files, at + 16), page).value_or(1),
                   .path = std::string(names.substr(0, names.find('\0')))};
      names.remove_prefix(std::min(next.path.size() + 1, names.size()));
      if (next.path.starts_with('/') && next.where.low < next.where.high)
        core_.mappings.push_back(std::move(next));
    }
  }

  std::shared_ptr<const source> bytes_;
  std::uint16_t machine_ = 0;
  bool has_signal_ = false;
  std::vector<Elf64_Phdr> segments_;
  core_file core_;
};

}  // namespace

std::string core_file::program() const {
  for (const mapping& each : mappings) {
    if (each.where.holds(program_headers)) return each.path;
  }
  return {};
}

std::expected<core_file, problem> parse_core(std::shared_ptr<const source> bytes) {
  return parser(std::move(bytes)).run();
}

}  // namespace bast_stacks
