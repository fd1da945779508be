// SPDX-License-Identifier: Apache-2.0
#include <bast/config.hpp>

#if BAST_MUTANTS

#include <cstdlib>
#include <cstring>

#include "bast/base/check.hpp"

namespace bast::inline BAST_ABI::internal {

constinit mutant chosen_mutant = mutant::none;

namespace {

constexpr const char* names[] = {
#define BAST_MUTANT_NAME(name) #name,
    BAST_FOR_EACH_MUTANT(BAST_MUTANT_NAME)
#undef BAST_MUTANT_NAME
};

/// Runs before main and before any other code of this library. A misspelt name must not pass for a
/// mutant that survived.
[[gnu::constructor]] void choose_mutant() {
  const char* const wanted = std::getenv("BAST_MUTANT");
  if (wanted == nullptr || *wanted == '\0') return;
  // The inspector's mutants have a table of their own; its tests link this library too.
  if (std::strncmp(wanted, "stacks_", 7) == 0) return;
  int number = 1;
  for (const char* const name : names) {
    if (std::strcmp(name, wanted) == 0) {
      chosen_mutant = static_cast<mutant>(number);
      return;
    }
    ++number;
  }
  BAST_CHECK(false, "BAST_MUTANT names no mutant; see ci/mutants.toml");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal

#endif
