// SPDX-License-Identifier: Apache-2.0
//
// Budgets: the stack that a team allows each spawn site, in a file kept with the source.
//
//   [[budget]]
//   site = "server.cpp:*"   # "file:line" or a label, see glob.hpp
//   max = "12 KiB"          # of all uses
//   p99 = "8 KiB"           # of the samples
//   uses_min = 1000         # fewer uses fail
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

struct budget {
  std::string site;
  std::optional<std::uint64_t> max;  // bytes
  std::optional<std::uint64_t> p99;  // bytes
  std::optional<std::uint64_t> uses_min;
  std::uint32_t line = 0;  // of `site` in the file
  std::uint32_t column = 0;
};

struct budget_file {
  std::string name;
  std::string heading;  // its leading comment lines
  std::vector<budget> budgets;
};

/// A size as people write it: "12 KiB", "1.5 MiB", "300 B". No unit and "12K" are errors: the
/// returned text names the expected form.
std::expected<std::uint64_t, std::string> parse_size(std::string_view text);

/// Parses a file's text. Errors begin with "name:line:column: ".
std::expected<budget_file, problem> parse_budgets(std::string_view text, std::string_view name);

/// The text of a file: the heading, then each budget in the canonical layout, in order.
std::string budgets_text(const budget_file& file);

}  // namespace bast_stacks
