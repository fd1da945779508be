// SPDX-License-Identifier: Apache-2.0
#include "code/elf_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "code/byte_cursor.hpp"

namespace bast_stacks {
namespace {

// Templates make names of several KiB. A million symbols that share one of a MiB are an attack.
constexpr std::uint64_t name_max = 16 << 10;
// Libraries that one file asks for; desktops have a hundred.
constexpr std::size_t needed_max = 1000;

std::unexpected<problem> refuse(std::string what, std::string remedy = {}) {
  return std::unexpected(problem{3, std::move(what), std::move(remedy)});
}

std::string hex_of(byte_span bytes) {
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

// --- opening -------------------------------------------------------------------------------------

elf_file::elf_file(std::string path, Elf* elf, int fd)
    : path_(std::move(path)), elf_(elf), fd_(fd) {}

elf_file::~elf_file() {
  elf_end(elf_);
  if (fd_ >= 0) close(fd_);
}

std::expected<std::shared_ptr<elf_file>, problem> elf_file::make(std::string path, Elf* elf, int fd,
                                                                 std::uint64_t bytes) {
  const std::shared_ptr<elf_file> file(new elf_file(std::move(path), elf, fd));
  if (elf == nullptr || elf_kind(elf) != ELF_K_ELF)
    return refuse(fmt::format("{} is not an ELF file", file->path_));
  if (!file->read_header()) {
    return refuse(fmt::format("{} is not a program or shared library for 64-bit x86-64 or aarch64",
                              file->path_));
  }
  // Sections that overlap could ask for the same bytes again and again.
  file->may_load_ = 2 * bytes + 4096;
  file->read_sections();
  file->read_build_id();
  return file;
}

std::expected<std::shared_ptr<elf_file>, problem> elf_file::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return refuse(fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  struct stat about{};
  if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    close(fd);
    return refuse(fmt::format("{} is not a file", path));
  }
  elf_version(EV_CURRENT);
  // Without a mapping: a file that is cut while we read it ends in an error, not in SIGBUS.
  Elf* const elf = elf_begin(fd, ELF_C_READ, nullptr);
  return make(path, elf, fd, static_cast<std::uint64_t>(about.st_size));
}

std::expected<std::shared_ptr<elf_file>, problem> elf_file::open(byte_span bytes,
                                                                 std::string name) {
  if (bytes.empty()) return refuse(fmt::format("{} is empty", name));
  elf_version(EV_CURRENT);
  // libelf takes a pointer to what it could write, and writes only what was opened for it.
  char* const memory = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
  return make(std::move(name), elf_memory(memory, bytes.size()), -1, bytes.size());
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
  if (note == nullptr) return;
  byte_cursor at(contents(*note));
  const auto name_bytes = at.read<std::uint32_t>();
  const auto id_bytes = at.read<std::uint32_t>();
  const auto type = at.read<std::uint32_t>();
  at.take((std::uint64_t{name_bytes} + 3) / 4 * 4);
  const auto id = at.take(id_bytes);
  if (!at.failed() && type == NT_GNU_BUILD_ID && id_bytes <= 64) build_id_ = hex_of(id);
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

// --- symbols -------------------------------------------------------------------------------------

void elf_file::read_symbols(const elf_section& table, bool exported) const {
  const auto* const names = linked(table);
  if (names == nullptr) return;
  const auto* const versions = exported ? section(".gnu.version") : nullptr;
  const auto version_bytes = versions == nullptr ? byte_span{} : contents(*versions);
  const auto all = contents(table);
  for (std::size_t i = 0; (i + 1) * sizeof(Elf64_Sym) <= all.size(); ++i) {
    Elf64_Sym symbol{};
    std::memcpy(&symbol, all.data() + i * sizeof symbol, sizeof symbol);
    const unsigned type = symbol.st_info & 0xfU;
    const bool untyped = type == STT_NOTYPE && symbol.st_shndx < SHN_LORESERVE;
    if (symbol.st_shndx == SHN_UNDEF) continue;
    if (type != STT_FUNC && type != STT_GNU_IFUNC && !untyped) continue;
    const auto* const holder = section_at(symbol.st_value);
    if (holder == nullptr || (holder->flags & SHF_EXECINSTR) == 0) continue;
    const elf_function function{.address = symbol.st_value,
                                .bytes = symbol.st_size,
                                .name = text_in(*names, symbol.st_name),
                                .exported = exported,
                                .chosen_at_load = type == STT_GNU_IFUNC};
    // Mapping symbols ($x, $d) of aarch64 name no function.
    if (function.name.empty() || function.name.front() == '$') continue;
    functions_.push_back(function);
    by_name_.emplace(function.name, function.address);
    if (!exported) continue;
    std::uint16_t version = 0;
    if ((i + 1) * 2 <= version_bytes.size()) std::memcpy(&version, &version_bytes[i * 2], 2);
    // Bit 15: an old version, which only programs that were linked with it get.
    if ((version & 0x8000U) == 0) {
      exported_[function.name] = function;
    } else {
      exported_.try_emplace(function.name, function);
    }
  }
}

const std::vector<elf_function>& elf_file::functions() const {
  if (symbols_read_) return functions_;
  symbols_read_ = true;
  for (const auto& table : sections_) {
    if (table.type == SHT_DYNSYM) read_symbols(table, true);
  }
  for (const auto& table : sections_) {
    if (table.type == SHT_SYMTAB) read_symbols(table, false);
  }
  for (const auto& other : others_) {
    for (const auto& function : other->functions()) {
      functions_.push_back(function);
      by_name_.emplace(function.name, function.address);
    }
  }
  // Of several names for an address: one with a size, then one that is exported, then the longest,
  // which is the complete constructor's and not an alias.
  std::ranges::sort(functions_, [](const elf_function& a, const elf_function& b) {
    if (a.address != b.address) return a.address < b.address;
    if ((a.bytes == 0) != (b.bytes == 0)) return b.bytes == 0;
    if (a.exported != b.exported) return a.exported;
    if (a.name.size() != b.name.size()) return a.name.size() > b.name.size();
    return a.name < b.name;
  });
  const auto rest = std::ranges::unique(functions_, {}, &elf_function::address);
  functions_.erase(rest.begin(), rest.end());
  return functions_;
}

const elf_function* elf_file::function_at(std::uint64_t address) const {
  const auto& all = functions();
  auto after = std::ranges::upper_bound(all, address, {}, &elf_function::address);
  if (after == all.begin()) return nullptr;
  const auto& found = *--after;
  if (address - found.address < found.bytes) return &found;
  return found.bytes == 0 && section_at(address) == section_at(found.address) ? &found : nullptr;
}

std::vector<std::uint64_t> elf_file::addresses_of(std::string_view name) const {
  functions();
  std::vector<std::uint64_t> all;
  const auto [first, last] = by_name_.equal_range(name);
  for (auto at = first; at != last; ++at) all.push_back(at->second);
  std::ranges::sort(all);
  const auto rest = std::ranges::unique(all);
  all.erase(rest.begin(), rest.end());
  return all;
}

const elf_function* elf_file::exported(std::string_view name) const {
  functions();
  const auto found = exported_.find(name);
  return found == exported_.end() ? nullptr : &found->second;
}

void elf_file::add_symbols(std::shared_ptr<elf_file> other) {
  if (!symbols_read_) others_.push_back(std::move(other));
}

// --- what the dynamic linker reads ---------------------------------------------------------------

template <class Use>
void elf_file::each_dynamic(Use use) const {
  for (const auto& section : sections_) {
    if (section.type != SHT_DYNAMIC) continue;
    const auto* const names = linked(section);
    byte_cursor at(contents(section));
    while (at.left() >= sizeof(Elf64_Dyn)) {
      const auto tag = at.read<std::int64_t>();
      const auto value = at.read<std::uint64_t>();
      if (tag == DT_NULL) break;
      use(tag, value, names == nullptr ? std::string_view{} : text_in(*names, value));
    }
  }
}

std::vector<std::string> elf_file::needed() const {
  std::vector<std::string> names;
  each_dynamic([&](std::int64_t tag, std::uint64_t, std::string_view text) {
    if (tag == DT_NEEDED && !text.empty() && names.size() < needed_max) names.emplace_back(text);
  });
  return names;
}

std::string elf_file::run_path() const {
  std::string old;
  std::string path;
  each_dynamic([&](std::int64_t tag, std::uint64_t, std::string_view text) {
    if (tag == DT_RUNPATH) path = text;
    if (tag == DT_RPATH) old = text;
  });
  return path.empty() ? old : path;
}

bool elf_file::binds_now() const {
  bool now = false;
  each_dynamic([&](std::int64_t tag, std::uint64_t value, std::string_view) {
    now = now || tag == DT_BIND_NOW || (tag == DT_FLAGS && (value & DF_BIND_NOW) != 0) ||
          (tag == DT_FLAGS_1 && (value & DF_1_NOW) != 0);
  });
  return now;
}

void elf_file::read_relocations() const {
  relocations_read_ = true;
  const bool arm = machine_ == EM_AARCH64;
  const std::uint64_t relative = arm ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
  const std::uint64_t chosen = arm ? R_AARCH64_IRELATIVE : R_X86_64_IRELATIVE;
  for (const auto& section : sections_) {
    if (section.type != SHT_RELA || (section.flags & SHF_ALLOC) == 0) continue;
    const auto* const symbols = linked(section);
    const auto* const names = symbols == nullptr ? nullptr : linked(*symbols);
    const auto table = symbols == nullptr ? byte_span{} : contents(*symbols);
    const auto all = contents(section);
    for (std::size_t i = 0; (i + 1) * sizeof(Elf64_Rela) <= all.size(); ++i) {
      Elf64_Rela entry{};
      std::memcpy(&entry, all.data() + i * sizeof entry, sizeof entry);
      const std::uint64_t type = ELF64_R_TYPE(entry.r_info);
      const std::uint64_t index = ELF64_R_SYM(entry.r_info);
      elf_relocation found{.at = entry.r_offset, .lazy = section.name == ".rela.plt"};
      if (type == relative) {
        found.value = static_cast<std::uint64_t>(entry.r_addend);
      } else if (type == chosen) {
        found.value = static_cast<std::uint64_t>(entry.r_addend);
        found.chosen_at_load = true;
        found.lazy = false;
      } else if (names != nullptr && index < table.size() / sizeof(Elf64_Sym)) {
        Elf64_Sym symbol{};
        std::memcpy(&symbol, table.data() + index * sizeof symbol, sizeof symbol);
        found.symbol = text_in(*names, symbol.st_name);
        found.weak = ELF64_ST_BIND(symbol.st_info) == STB_WEAK;
        if (found.symbol.empty()) continue;
      } else {
        continue;
      }
      relocations_.push_back(found);
    }
  }
  std::ranges::sort(relocations_, {}, &elf_relocation::at);
}

const elf_relocation* elf_file::relocation_at(std::uint64_t address) const {
  if (!relocations_read_) read_relocations();
  const auto found = std::ranges::lower_bound(relocations_, address, {}, &elf_relocation::at);
  return found == relocations_.end() || found->at != address ? nullptr : &*found;
}

}  // namespace bast_stacks
