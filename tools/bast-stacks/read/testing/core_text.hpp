// SPDX-License-Identifier: Apache-2.0
//
// The parsed contents of a core file, as text.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/test_record_text.hpp"
#include "read/core_file.hpp"

namespace bast_stacks::testing {

using core_bytes = std::vector<std::byte>;

inline std::expected<core_file, problem> parsed_core(const core_bytes& bytes) {
  return parse_core(std::make_shared<buffer_source>(bytes));
}

/// Everything parsed from a core.
inline std::string core_text(const core_file& core) {
  std::string text =
      fmt::format("pid={} name={} fault={:#x} headers={:#x} truncated={}", core.pid,
                  core.process_name, core.fault_address, core.program_headers, core.truncated);
  for (const core_thread& each : core.threads)
    text +=
        fmt::format("\nthread {} sp={:#x} pc={:#x} fp={:#x}", each.id, each.sp, each.pc, each.fp);
  for (const mapping& each : core.mappings)
    text += fmt::format("\n{:#x}-{:#x} {:#x} {}", each.where.low, each.where.high, each.offset,
                        each.path);
  return text;
}

inline std::string core_text(const core_bytes& bytes) {
  const auto core = parsed_core(bytes);
  return core ? core_text(*core) : test::error_text(core);
}

/// The bytes with the header at `at` changed.
template <class Header>
core_bytes changed(core_bytes bytes, std::size_t at, const std::function<void(Header&)>& change) {
  Header header{};
  std::memcpy(&header, bytes.data() + at, sizeof header);
  change(header);
  std::memcpy(bytes.data() + at, &header, sizeof header);
  return bytes;
}

}  // namespace bast_stacks::testing
