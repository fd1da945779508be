// SPDX-License-Identifier: Apache-2.0
//
// Laws about whole pool programs: operations that cancel out, that may be repeated, that leave a
// trace in a pool.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <ostream>
#include <tuple>
#include <vector>

#include "model/pool_machine.hpp"
#include "model/target.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

/// The visible state of a pool. Free blocks do not matter: they cost nothing.
struct observation {
  std::size_t ready, running, suspended, finished, retired;
  std::uint64_t swallowed, abandoned, unhandled;
  std::size_t slots_opened, idle, live, quarantined, slabs, open, reserved;

  static observation of(pool_machine& machine) {
    const coro_pool_stats s = machine.pool().stats();
    RC_ASSERT(s.created ==
              s.free + s.ready + s.running + s.suspended + s.finished + s.retired);  // F-15
    RC_ASSERT(s.stacks.open.count == machine.pool().budget().open().count);
    return {s.ready,        s.running,           s.suspended,
            s.finished,     s.retired,           s.swallowed_unwinds,
            s.abandoned,    s.unhandled,         s.stacks.slots_opened,
            s.stacks.idle,  s.stacks.live,       s.stacks.quarantined,
            s.stacks.slabs, s.stacks.open.count, s.stacks.reserved.count};
  }
  friend bool operator==(const observation&, const observation&) = default;
};

void showValue(const observation& o, std::ostream& out) {
  out << "ready " << o.ready << ", running " << o.running << ", suspended " << o.suspended
      << ", finished " << o.finished << ", retired " << o.retired << ", swallowed " << o.swallowed
      << ", abandoned " << o.abandoned << ", unhandled " << o.unhandled << ", slots opened "
      << o.slots_opened << ", idle " << o.idle << ", live " << o.live << ", quarantined "
      << o.quarantined << ", slabs " << o.slabs << ", open " << o.open << ", reserved "
      << o.reserved;
}

op pool_operation(pool_op kind, std::uint8_t who = 0, std::uint16_t value = 0) {
  return {.kind = static_cast<std::uint8_t>(kind), .who = who, .value = value};
}

/// A pool and its model, with the same operations.
class pair {
 public:
  explicit pair(std::uint16_t options)
      : options_(pool_options(options)), machine(options_, faults_), expected(options_) {}

  answer perform(const op& o) {
    const answer wanted = expected.expect(o);
    const answer seen = machine.perform(o);
    RC_ASSERT(to_text(seen) == to_text(wanted));
    expected.follow(o, seen);
    return seen;
  }
  void perform_all(const program& p) {
    for (const op& o : p.ops) perform(o);
    RC_ASSERT(machine.complaint() == "");
  }
  /// The visible state after the program so far.
  observation look() { return observation::of(machine); }
  void end() {
    machine.end();
    RC_ASSERT(machine.complaint() == "");
  }

 private:
  fault_schedule faults_{{}};
  coro_pool_options options_;

 public:
  pool_machine machine;
  pool_model expected;
};

RC_GTEST_PROP(PoolProgram, AcquireAndReleaseLeaveNoTrace, (const calm_pool_program& p)) {
  pair run(p.it.options);
  run.perform_all(p.it);
  const auto who = static_cast<std::uint8_t>(*anything<std::uint8_t>() % subjects_max);
  run.perform(pool_operation(pool_op::forget, who));
  const observation before = run.look();
  run.perform(pool_operation(pool_op::acquire, who));
  RC_CLASSIFY(run.expected.state_of(who) == coro_state::free, "the pool was full");
  run.perform(pool_operation(pool_op::release, who));
  RC_ASSERT(run.look() == before);
  run.machine.compare(run.expected);
  run.end();
}

/// The second life of a kind finds everything allocated by the first.
RC_GTEST_PROP(PoolProgram, TheSecondLifeOfAKindCostsNothing,
              (const calm_pool_program& p, std::uint16_t script_bits)) {
  pair run(p.it.options);
  run.perform_all(p.it);
  const auto live_and_die = [&] {
    run.perform(pool_operation(pool_op::forget, 0));
    run.perform(pool_operation(pool_op::acquire, 0));
    run.perform(pool_operation(pool_op::start, 0, script_bits));
    while (run.expected.state_of(0) == coro_state::suspended)
      run.perform(pool_operation(pool_op::resume, 0));
    run.perform(pool_operation(pool_op::take, 0));
    run.perform(pool_operation(pool_op::release, 0));
  };
  live_and_die();
  const observation before = run.look();
  live_and_die();
  RC_ASSERT(run.look() == before);
  run.end();
}

/// F-13: the second user of a coroutine or pool cannot be distinguished from the first.
RC_GTEST_PROP(PoolProgram, F13_AUsedPoolAnswersLikeANewOne,
              (const calm_pool_program& first, const calm_pool_program& second)) {
  pair used(first.it.options);
  used.perform_all(first.it);
  RC_CLASSIFY(used.expected.stacks() > 0, "stacks were in use");
  used.machine.release_everything();
  RC_ASSERT(used.look().live == 0U);
  pair fresh(first.it.options);
  for (const op& o : second.it.ops) {
    const answer wanted = fresh.perform(o);
    RC_ASSERT(to_text(used.machine.perform(o)) == to_text(wanted));
    used.machine.compare_handles(fresh.expected);
    RC_ASSERT(used.machine.complaint() == "");
  }
  used.machine.pool().check_invariants();
  used.end();
  fresh.end();
}

RC_GTEST_PROP(PoolProgram, TheSameProgramGivesTheSameAnswersAndCounts,
              (const calm_pool_program& p)) {
  pair one(p.it.options);
  pair other(p.it.options);
  for (const op& o : p.it.ops) {
    RC_ASSERT(to_text(one.perform(o)) == to_text(other.perform(o)));
    RC_ASSERT(one.look() == other.look());
  }
}

/// After every operation, each byte charged to the process's budget belongs to a stack.
RC_GTEST_PROP(PoolProgram, TheBudgetIsWhatTheStacksHaveOpen, (const calm_pool_program& p)) {
  const std::size_t before = process_stack_budget().open().count;
  {
    pair run(p.it.options);
    std::size_t most = 0;
    for (const op& o : p.it.ops) {
      run.perform(o);
      const std::size_t open = run.look().open;
      RC_ASSERT(process_stack_budget().open().count == before + open);
      most = std::max(most, open);
    }
    RC_TAG(most == 0 ? "nothing was opened" : most < 1 << 20 ? "below 1 MiB" : "1 MiB and more");
    run.machine.release_everything();
    (void)run.machine.pool().shrink();
    RC_ASSERT(run.look().open == 0U);
    RC_ASSERT(process_stack_budget().open().count == before);
  }
  RC_ASSERT(process_stack_budget().open().count == before);
}

RC_GTEST_PROP(PoolProgram, ShrinkingTwiceIsShrinkingOnce, (const calm_pool_program& p)) {
  pair run(p.it.options);
  run.perform_all(p.it);
  const observation before = run.look();
  const bytes first = run.machine.pool().shrink();
  const observation once = run.look();
  RC_ASSERT(once.reserved == before.reserved - first.count);
  RC_ASSERT(once.open <= before.open);
  RC_ASSERT(once.live == before.live);
  RC_ASSERT(run.machine.pool().shrink().count == 0U);
  RC_ASSERT(run.look() == once);
  RC_CLASSIFY(first.count != 0, "a slab was given back");
  RC_CLASSIFY(once.open != before.open, "bytes were closed");
  run.machine.compare(run.expected);
  run.machine.pool().check_invariants();
  run.end();
}

RC_GTEST_PROP(PoolProgram, AnyProgramIsAnsweredAsTheLawsSay, (const any_pool_program& p)) {
  RC_ASSERT(run_pool(p.it, {}).complaint == "");
}

RC_GTEST_PROP(GrowthProgram, AnyProgramKeepsItsStacks, (const any_growth_program& p)) {
  RC_ASSERT(run_growth(p.it, {}).complaint == "");
}

}  // namespace
}  // namespace bast::model
