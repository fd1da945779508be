// SPDX-License-Identifier: Apache-2.0
//
// The files that are mapped into a target, which of them hold bast, and where its registries are.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks {

/// A part of a file that is mapped.
struct mapping {
  extent where;
  std::uint64_t offset = 0;  // in the file
  std::string path;
  bool is_code = false;  // may be executed; a core file does not say
};

/// The mappings of files in the text of /proc/PID/maps. Lines that it cannot have are left out.
std::vector<mapping> parse_maps(std::string_view text);

struct found_modules {
  std::vector<module> modules;         // by address
  std::vector<std::uint64_t> anchors;  // addresses
  bool has_32_bit = false;
};

/// Looks at every ELF file of `mappings`: at the target's memory, and where that does not hold it,
/// at the file. `program`, when not empty, is where to read the file at `program_path`.
found_modules find_modules(const std::vector<mapping>& mappings, memory& target,
                           const std::string& program_path, const std::string& program);

/// The addresses of the registries that the anchors lead to. Errors: no anchor, or none has a
/// registry yet. `who` is how the target is called in the error.
std::expected<std::vector<std::uint64_t>, problem> find_registries(const found_modules& modules,
                                                                   memory& target,
                                                                   std::string_view who);

}  // namespace bast_stacks
