// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include "show/budget.hpp"

namespace bast_stacks {

int fuzz_budget(const std::uint8_t* data, std::size_t size) {
  const auto read = parse_budgets({reinterpret_cast<const char*>(data), size}, "input");
  if (!read.has_value()) return 0;
  const std::string once = budgets_text(*read);
  const auto again = parse_budgets(once, "input");
  if (!again.has_value() || budgets_text(*again) != once) __builtin_trap();
  return 0;
}

}  // namespace bast_stacks
