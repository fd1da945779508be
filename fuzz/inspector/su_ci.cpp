// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include <cstdlib>
#include <string_view>

#include "code/annotations.hpp"
#include "code/names.hpp"
#include "code/stack_usage.hpp"
#include "inspector/require.hpp"

namespace bast_stacks {
namespace {

void look_at(std::vector<function_usage> found) {
  usage_table table;
  for (const auto& one : found) {
    require(!one.function.empty());
    demangled(one.function);
    without_parameters(one.function);
  }
  const auto all = found;
  table.add(std::move(found), 62);
  for (const auto& one : all) require(table.find(one.function) != nullptr);
}

}  // namespace

int fuzz_su_ci(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::size_t refused = 0;
  switch (data[0] % 3) {
    case 0: look_at(parse_su(text, refused)); break;
    case 1: look_at(parse_ci(text, refused)); break;
    default: {
      const auto found = parse_annotations(text, "input");
      if (!found) {
        require(found.error().what.starts_with("input:"));
        break;
      }
      for (const auto& one : *found) require(!one.function.empty());
    }
  }
  return 0;
}

}  // namespace bast_stacks
