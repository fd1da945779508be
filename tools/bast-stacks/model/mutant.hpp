// SPDX-License-Identifier: Apache-2.0
//
// Mutants of the inspector: bugs planted on purpose, to prove that its tests detect them.
//
//   if (BAST_STACKS_MUTANT(recursion_is_sound)) return;
//
// As in the library (bast/base/mutant.hpp, of which nothing is linked here): a build with
// -DBAST_MUTANTS=ON contains all of them, and the environment variable BAST_MUTANT selects one at
// process start, by its name after "stacks_". In any other build BAST_STACKS_MUTANT(...) is the
// constant false. ci/mutants.toml describes each and names the harness that must detect it.
#pragma once

// In the order of the parts: model, read, code, show, draw.
#define BAST_STACKS_FOR_EACH_MUTANT(X) \
  X(quantile_at_the_shallow_end)       \
  X(one_run_too_few)                   \
  X(absent_page_read)                  \
  X(page_of_zeros_counts)              \
  X(depth_one_word_short)              \
  X(upper_bound_one_page_short)        \
  X(torn_read_accepted)                \
  X(reused_slot_believed)              \
  X(hole_read_from_the_file)           \
  X(dead_maximum_forgotten)            \
  X(call_is_what_follows)              \
  X(row_behind_taken)                  \
  X(tail_call_ignored)                 \
  X(any_load_switches)                 \
  X(recursion_is_sound)                \
  X(escapes_obeyed)                    \
  X(lowered_without_evidence)          \
  X(live_stacks_ignored)               \
  X(static_bound_ignored)              \
  X(limit_rounded_down)                \
  X(noise_alarms)                      \
  X(one_byte_over_is_kept)             \
  X(overflow_is_within_budget)         \
  X(star_matches_nothing)              \
  X(quotes_not_doubled)                \
  X(label_not_escaped)                 \
  X(widths_by_count)                   \
  X(deepest_call_first)                \
  X(markup_not_escaped)

#if BAST_STACKS_MUTANTS

namespace bast_stacks::internal {

enum class mutant {
  none,
#define BAST_STACKS_MUTANT_NAME(name) name,
  BAST_STACKS_FOR_EACH_MUTANT(BAST_STACKS_MUTANT_NAME)
#undef BAST_STACKS_MUTANT_NAME
};
extern constinit mutant chosen_mutant;

}  // namespace bast_stacks::internal

#define BAST_STACKS_MUTANT(name) \
  (::bast_stacks::internal::chosen_mutant == ::bast_stacks::internal::mutant::name)

#else
#define BAST_STACKS_MUTANT(name) false
#endif
