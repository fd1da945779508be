// SPDX-License-Identifier: Apache-2.0
//
// `elf_file`: the stack-related data of a program or shared library on disk: sections, functions,
// needed files, relocations. 64-bit x86-64 and aarch64. The file is hostile: invalid data is
// refused or skipped, and at most twice its size is read into memory.
//
// Addresses are those in the file; a process adds its load bias.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/descriptor.hpp"
#include "model/snapshot.hpp"

struct Elf;

namespace bast_stacks {

using byte_span = std::span<const std::uint8_t>;

struct elf_section {
  std::string_view name{};
  std::uint32_t type = 0;
  std::uint32_t link = 0;
  std::uint64_t flags = 0;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::size_t index = 0;
};

struct elf_function {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;      // 0: not known
  std::string_view name{};      // the linker's
  bool exported = false;        // other files can call it by name
  bool chosen_at_load = false;  // STT_GNU_IFUNC: `address` is the resolver's
};

/// A value that the dynamic linker writes to an address: a symbol's address, or one of this file.
struct elf_relocation {
  std::uint64_t at = 0;
  std::string_view symbol{};    // empty: `value` applies
  std::uint64_t value = 0;      // address in this file
  bool chosen_at_load = false;  // IRELATIVE: `value` is the resolver's address
  bool lazy = false;            // in .rela.plt
  bool weak = false;            // the symbol need not be defined
};

class elf_file {
 public:
  /// Errors, which contain the path: it cannot be opened, is not ELF, or is of another kind.
  static std::expected<std::shared_ptr<elf_file>, problem> open(const std::string& path);
  /// The same for bytes that outlive it.
  static std::expected<std::shared_ptr<elf_file>, problem> open(byte_span bytes, std::string name);
  ~elf_file();
  elf_file(const elf_file&) = delete;
  elf_file& operator=(const elf_file&) = delete;

  const std::string& path() const { return path_; }
  std::uint16_t machine() const { return machine_; }
  const std::string& build_id() const { return build_id_; }  // hex, or empty
  Elf* handle() const { return elf_; }

  const std::vector<elf_section>& sections() const { return sections_; }
  const elf_section* section(std::string_view name) const;
  /// The section that is loaded at `address`, or null.
  const elf_section* section_at(std::uint64_t address) const;
  /// The contents in the file; empty if it has none there or they cannot be read.
  byte_span contents(const elf_section& section) const;
  /// Instructions from `address` to the end of their section, at most `bytes`.
  byte_span code_at(std::uint64_t address, std::uint64_t bytes) const;

  /// Functions by address, one per address. From .symtab if there is one, and .dynsym.
  const std::vector<elf_function>& functions() const;
  const elf_function* function_at(std::uint64_t address) const;
  /// All addresses with this name: several sources can have static functions of one name.
  std::vector<std::uint64_t> addresses_of(std::string_view name) const;
  /// The function that another file gets for `name`, or null.
  const elf_function* exported(std::string_view name) const;
  /// Adds the symbols of a file with debug information, see `debug_file`.
  void add_symbols(std::shared_ptr<elf_file> other);

  std::vector<std::string> needed() const;  // DT_NEEDED
  std::string run_path() const;             // DT_RUNPATH, or DT_RPATH
  bool binds_now() const;                   // the dynamic linker resolves everything at load
  /// The value written to `address`, or null.
  const elf_relocation* relocation_at(std::uint64_t address) const;

 private:
  elf_file(std::string path, Elf* elf, descriptor file);
  static std::expected<std::shared_ptr<elf_file>, problem> make(std::string path, Elf* elf,
                                                                descriptor opened,
                                                                std::uint64_t bytes);
  bool read_header();
  void read_sections();
  void read_build_id();
  void read_symbols(const elf_section& table, bool exported) const;
  void read_relocations() const;
  std::string_view text_in(const elf_section& table, std::uint64_t offset) const;
  const elf_section* linked(const elf_section& from) const;
  template <class Use>
  void each_dynamic(Use use) const;

  std::string path_;
  Elf* elf_;
  descriptor descriptor_;  // none when its bytes are in memory
  std::uint16_t machine_ = 0;
  std::string build_id_;
  std::vector<elf_section> sections_;
  std::vector<std::shared_ptr<elf_file>> others_;

  // Read on first use.
  mutable std::uint64_t may_load_ = 0;  // bytes
  mutable std::unordered_map<std::size_t, byte_span> loaded_;
  mutable bool symbols_read_ = false;
  mutable std::vector<elf_function> functions_;
  mutable std::unordered_multimap<std::string_view, std::uint64_t> by_name_;
  mutable std::unordered_map<std::string_view, elf_function> exported_;
  mutable bool relocations_read_ = false;
  mutable std::vector<elf_relocation> relocations_;  // by address
};

/// The file with the debug information of `file`, found by build id under /usr/lib/debug; null if
/// there is none.
std::shared_ptr<elf_file> debug_file(const elf_file& file);

}  // namespace bast_stacks
