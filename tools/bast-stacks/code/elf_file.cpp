// SPDX-License-Identifier: Apache-2.0
#include "code/elf_file.hpp"

#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "model/elf_notes.hpp"
#include "model/regular_file.hpp"

namespace bast_stacks {
namespace {

// Template names reach several KiB. A million symbols that share a name of one MiB are an attack.
constexpr std::uint64_t name_max = 16 << 10;

std::unexpected<problem> refuse(std::string what, std::string remedy = {}) {
  return std::unexpected(problem{3, std::move(what), std::move(remedy)});
}

}  // namespace

// --- opening -------------------------------------------------------------------------------------

elf_file::elf_file(std::string path, Elf* elf, descriptor file)
    : path_(std::move(path)), elf_(elf), descriptor_(std::move(file)) {}

elf_file::~elf_file() { elf_end(elf_); }

std::expected<std::shared_ptr<elf_file>, problem> elf_file::make(std::string path, Elf* elf,
                                                                 descriptor opened,
                                                                 std::uint64_t bytes) {
  const std::shared_ptr<elf_file> file(new elf_file(std::move(path), elf, std::move(opened)));
  if (elf == nullptr || elf_kind(elf) != ELF_K_ELF)
    return refuse(fmt::format("{} is not an ELF file", file->path_));
  if (!file->read_header()) {
    return refuse(fmt::format("{} is not a program or shared library for 64-bit x86-64 or aarch64",
                              file->path_));
  }
  // Overlapping sections could cause the same bytes to be read repeatedly.
  file->may_load_ = 2 * bytes + 4096;
  file->read_sections();
  file->read_build_id();
  return file;
}

std::expected<std::shared_ptr<elf_file>, problem> elf_file::open(const std::string& path) {
  auto file = open_regular_file(path);
  if (!file) return std::unexpected(std::move(file.error()));
  struct stat about{};
  if (::fstat(file->get(), &about) != 0)
    return refuse(fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  elf_version(EV_CURRENT);
  // Not mapped: a file that is truncated meanwhile gives an error, not SIGBUS.
  Elf* const elf = elf_begin(file->get(), ELF_C_READ, nullptr);
  return make(path, elf, std::move(*file), static_cast<std::uint64_t>(about.st_size));
}

std::expected<std::shared_ptr<elf_file>, problem> elf_file::open(byte_span bytes,
                                                                 std::string name) {
  if (bytes.empty()) return refuse(fmt::format("{} is empty", name));
  elf_version(EV_CURRENT);
  // libelf takes a non-const pointer, and writes only to what was opened for writing.
  char* const memory = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
  return make(std::move(name), elf_memory(memory, bytes.size()), {}, bytes.size());
}

bool elf_file::read_header() {
  GElf_Ehdr header{};
  if (gelf_getehdr(elf_, &header) == nullptr) return false;
  machine_ = header.e_machine;
  return header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
         (machine_ == EM_X86_64 || machine_ == EM_AARCH64) &&
         (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

void elf_file::read_sections() {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf_, &names) != 0) return;
  Elf_Scn* at = nullptr;
  while ((at = elf_nextscn(elf_, at)) != nullptr) {
    GElf_Shdr header{};
    if (gelf_getshdr(at, &header) == nullptr) continue;
    const char* const name = elf_strptr(elf_, names, header.sh_name);
    sections_.push_back({.name = name == nullptr ? "" : name,
                         .type = header.sh_type,
                         .link = header.sh_link,
                         .flags = header.sh_flags,
                         .address = header.sh_addr,
                         .bytes = header.sh_size,
                         .index = elf_ndxscn(at)});
  }
}

void elf_file::read_build_id() {
  const auto* const note = section(".note.gnu.build-id");
  if (note != nullptr) build_id_ = build_id_in(std::as_bytes(contents(*note)), 4);
}

std::shared_ptr<elf_file> debug_file(const elf_file& file) {
  const auto& id = file.build_id();
  if (id.size() < 4) return nullptr;
  auto found = elf_file::open(
      fmt::format("/usr/lib/debug/.build-id/{}/{}.debug", id.substr(0, 2), id.substr(2)));
  if (!found || (*found)->build_id() != id) return nullptr;
  return *found;
}

// --- sections ------------------------------------------------------------------------------------

const elf_section* elf_file::section(std::string_view name) const {
  const auto found = std::ranges::find(sections_, name, &elf_section::name);
  return found == sections_.end() ? nullptr : &*found;
}

const elf_section* elf_file::section_at(std::uint64_t address) const {
  for (const auto& section : sections_) {
    const bool loaded = (section.flags & SHF_ALLOC) != 0 && (section.flags & SHF_TLS) == 0;
    if (loaded && address - section.address < section.bytes) return &section;
  }
  return nullptr;
}

byte_span elf_file::contents(const elf_section& section) const {
  if (section.type == SHT_NOBITS || (section.flags & SHF_COMPRESSED) != 0) return {};
  const auto known = loaded_.find(section.index);
  if (known != loaded_.end()) return known->second;
  byte_span bytes;
  if (section.bytes <= may_load_) {
    const Elf_Data* const data = elf_rawdata(elf_getscn(elf_, section.index), nullptr);
    if (data != nullptr && data->d_buf != nullptr) {
      bytes = {static_cast<const std::uint8_t*>(data->d_buf), data->d_size};
      may_load_ -= section.bytes;
    }
  }
  loaded_.emplace(section.index, bytes);
  return bytes;
}

byte_span elf_file::code_at(std::uint64_t address, std::uint64_t bytes) const {
  const auto* const holder = section_at(address);
  if (holder == nullptr || (holder->flags & SHF_EXECINSTR) == 0) return {};
  const auto all = contents(*holder);
  const auto offset = address - holder->address;
  if (offset >= all.size()) return {};
  return all.subspan(offset, std::min<std::uint64_t>(bytes, all.size() - offset));
}

const elf_section* elf_file::linked(const elf_section& from) const {
  const auto found = std::ranges::find(sections_, from.link, &elf_section::index);
  return found == sections_.end() ? nullptr : &*found;
}

std::string_view elf_file::text_in(const elf_section& table, std::uint64_t offset) const {
  const auto all = contents(table);
  if (offset >= all.size()) return {};
  const auto* const start = reinterpret_cast<const char*>(all.data()) + offset;
  const auto limit = std::min<std::uint64_t>(all.size() - offset, name_max);
  const void* const end = std::memchr(start, 0, limit);
  if (end == nullptr) return {};
  return {start, static_cast<std::size_t>(static_cast<const char*>(end) - start)};
}

}  // namespace bast_stacks
