// SPDX-License-Identifier: Apache-2.0
//
// A core file: the memory of a process that died, and notes that describe it. 64-bit ELF, x86-64
// and aarch64, as written by Linux and gdb.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "read/memory.hpp"
#include "read/modules.hpp"

namespace bast_stacks {

/// The registers of a thread that a reader needs.
struct core_thread {
  std::uint32_t id = 0;
  std::uint64_t sp = 0;
  std::uint64_t pc = 0;
  std::uint64_t fp = 0;
};

struct core_file {
  std::unique_ptr<bast_stacks::memory> memory;
  std::vector<mapping> mappings;      // of files
  std::vector<core_thread> threads;   // the first is the one that died
  std::uint64_t fault_address = 0;    // of a SIGSEGV or SIGBUS, else 0
  std::uint64_t program_headers = 0;  // address of the program's own, 0: not known
  std::string process_name;           // at most 15 characters, as the kernel keeps it
  std::uint64_t pid = 0;
  bool truncated = false;

  /// The path of the executable, or empty.
  std::string program() const;
};

/// Errors: not ELF, not a core, another byte order or class, headers that contradict the file.
std::expected<core_file, problem> parse_core(std::shared_ptr<const source> bytes);

}  // namespace bast_stacks
