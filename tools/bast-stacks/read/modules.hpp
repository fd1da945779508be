// SPDX-License-Identifier: Apache-2.0
//
// The files mapped into a target, which of them contain bast, and the places of its registries.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks {

/// A mapped part of a file.
struct mapping {
  extent where;
  std::uint64_t offset = 0;  // in the file
  std::string path;
  bool is_code = false;  // executable; not known from a core file
};

/// The mappings of files in the text of /proc/PID/maps. Skips malformed lines.
std::vector<mapping> parse_maps(std::string_view text);

struct found_modules {
  std::vector<module> modules;         // by address
  std::vector<std::uint64_t> anchors;  // addresses
  bool has_32_bit = false;
};

/// Examines every ELF file of `mappings`: in the target's memory, and as far as that is absent, in
/// the file. `program`, if not empty, is where to read the file at `program_path`.
found_modules find_modules(const std::vector<mapping>& mappings, memory& target,
                           const std::string& program_path, const std::string& program);

/// The addresses of the registries that the anchors point to. Errors: no anchor, or none has a
/// registry yet. `who` names the target in errors.
std::expected<std::vector<std::uint64_t>, problem> find_registries(const found_modules& modules,
                                                                   memory& target,
                                                                   std::string_view who);

}  // namespace bast_stacks
