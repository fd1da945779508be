// SPDX-License-Identifier: Apache-2.0
#include "model/mutant.hpp"

#if BAST_STACKS_MUTANTS

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace bast_stacks::internal {

constinit mutant chosen_mutant = mutant::none;

namespace {

constexpr std::string_view names[] = {
#define BAST_STACKS_MUTANT_NAME(name) "stacks_" #name,
    BAST_STACKS_FOR_EACH_MUTANT(BAST_STACKS_MUTANT_NAME)
#undef BAST_STACKS_MUTANT_NAME
};

/// Runs before main. A misspelt name must not pass for a surviving mutant. A name without the
/// prefix belongs to the library, which may be in the same process.
[[gnu::constructor]] void choose_mutant() {
  const char* const variable = std::getenv("BAST_MUTANT");
  const std::string_view wanted = variable == nullptr ? "" : variable;
  if (!wanted.starts_with("stacks_")) return;
  int number = 1;
  for (const std::string_view name : names) {
    if (name == wanted) {
      chosen_mutant = static_cast<mutant>(number);
      return;
    }
    ++number;
  }
  std::fputs("BAST_MUTANT names no mutant of bast-stacks; see ci/mutants.toml\n", stderr);
  std::abort();
}

}  // namespace
}  // namespace bast_stacks::internal

#endif
