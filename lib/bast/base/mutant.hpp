// SPDX-License-Identifier: Apache-2.0
//
// Mutants: bugs that are planted on purpose, to prove that the tests detect them.
//
//   if (BAST_MUTANT(budget_leak)) return;
//
// A build with -DBAST_MUTANTS=ON contains all of them; the environment variable BAST_MUTANT selects
// one at process start. config.hpp includes this header in that build alone, and it is not
// installed: in every other build BAST_MUTANT(...) is the constant false and no mutant code exists
// (`ci/run mutants` checks). ci/mutants.toml describes each and names the harness that must detect
// it.
#pragma once

#include <bast/config.hpp>

// Ordered by layer.
#define BAST_FOR_EACH_MUTANT(X)  \
  X(unmap_forgotten)             \
  X(pending_release_forgotten)   \
  X(altstack_not_restored)       \
  X(circle_not_noticed)          \
  X(chain_to_wrong_handler)      \
  X(errno_clobbered)             \
  X(fork_unnoticed)              \
  X(misaligned_entry)            \
  X(skipped_guard)               \
  X(guard_one_page_short)        \
  X(grow_one_page_short)         \
  X(hole_when_growing)           \
  X(wild_write_grows)            \
  X(guard_grows)                 \
  X(any_stack_grows)             \
  X(budget_leak)                 \
  X(directory_not_removed)       \
  X(scrub_one_word_short)        \
  X(mark_one_page_short)         \
  X(retained_not_trimmed)        \
  X(pending_lost_at_death)       \
  X(pending_lost_while_live)     \
  X(written_while_even)          \
  X(dead_pools_overwrite)        \
  X(shallow_growth_remembered)   \
  X(child_writes_the_file)       \
  X(child_counts_for_its_parent) \
  X(overflow_not_counted)        \
  X(unpoison_forgotten)          \
  X(exceptions_not_set_aside)    \
  X(float_control_not_restored)  \
  X(nested_resumer_forgotten)    \
  X(parked_is_resumable)         \
  X(generation_not_bumped)       \
  X(user_data_kept)              \
  X(one_coroutine_too_many)      \
  X(outcome_dropped)             \
  X(swallowed_not_counted)       \
  X(suspends_while_unwinding)    \
  X(oldest_unwound_first)        \
  X(not_held)                    \
  X(marks_not_looked_for)        \
  X(parked_flag_kept)            \
  X(places_not_given_back)       \
  X(oldest_callback_first)       \
  X(callback_runs_twice)         \
  X(marked_counts_as_complete)   \
  X(told_before_the_sweep)       \
  X(shield_ignored)              \
  X(born_free)                   \
  X(waker_forgets)               \
  X(unregister_does_not_wait)    \
  X(loop_not_told)               \
  X(left_in_the_queue)           \
  X(wait_not_cancelled)          \
  X(ends_without_the_lock)       \
  X(stale_completion_taken)      \
  X(closed_with_a_read)          \
  X(byte_lost_at_the_limit)      \
  X(stragglers_spared)           \
  X(cancel_forgotten)            \
  X(interruption_ends_stream)    \
  X(short_read_ends_stream)      \
  X(group_killed_late)           \
  X(stop_ends_with_the_leader)   \
  X(last_bytes_lost)             \
  X(grandchild_prolongs)         \
  X(hang_up_undone)              \
  X(sigpipe_raised)              \
  X(nul_accepted)                \
  X(environment_edit_lost)       \
  X(our_path_searched)           \
  X(pidfd_leaked)                \
  X(zombie_left)                 \
  X(signals_stay_blocked)        \
  X(started_though_cancelled)    \
  X(foreign_descriptor_kept)     \
  X(cancelled_perform_tries)     \
  X(equal_timers_reversed)       \
  X(limit_beats_the_op)          \
  X(duration_from_the_turn)      \
  X(call_not_withdrawn)          \
  X(other_direction_forgotten)   \
  X(old_event_taken)             \
  X(wake_flag_kept)              \
  X(turn_not_inherited)          \
  X(ready_ops_without_end)       \
  X(paced_by_count_alone)        \
  X(untaken_failure_forgotten)   \
  X(dropped_outcome_kept)        \
  X(late_guest_served)           \
  X(lone_wait_not_cancelled)     \
  X(cancelled_joiner_resumed)    \
  X(withdrawn_fiber_resumed)     \
  X(parked_cancelled_later)      \
  X(pinned_is_taken)             \
  X(half_batch_kept)             \
  X(concurrent_waits)            \
  X(stack_class_ignored)         \
  X(owner_looks_once)

namespace bast::inline BAST_ABI::internal {

enum class mutant {
  none,
#define BAST_MUTANT_NAME(name) name,
  BAST_FOR_EACH_MUTANT(BAST_MUTANT_NAME)
#undef BAST_MUTANT_NAME
};
extern constinit mutant chosen_mutant;

}  // namespace bast::inline BAST_ABI::internal

#define BAST_MUTANT(name) (::bast::internal::chosen_mutant == ::bast::internal::mutant::name)
