// SPDX-License-Identifier: Apache-2.0
//
// Runs a pool program on the model and on the real pool, and compares after every operation.
#include "model/pool_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

namespace {

/// The results that a lack of memory or room may cause.
bool is_lack(const reply& r) {
  return !r.done &&
         (r.refused == errc::no_memory || r.refused == errc::limit || r.refused == errc::invalid);
}

bool acceptable(const op& o, const answer& seen, const answer& expected, bool lacks) {
  if (seen == expected) return true;
  if (!lacks) return false;
  if (static_cast<pool_op>(o.kind) != pool_op::inside) {
    return pool_model::may_lack(o) && is_lack(seen.outer);
  }
  return seen.outer == expected.outer && seen.inner && pool_model::may_lack(inner_op(o.value)) &&
         is_lack(*seen.inner);
}

run_result run(const program& p, const run_settings& how, pool_law beyond) {
  run_result out;
  fault_schedule faults(how.plan);
  const bytes open_before = process_stack_budget().open();
  const coro_pool_options options = pool_options(p.options);
  pool_model expected(options);
  {
    pool_machine machine(options, faults);
    for (std::size_t i = 0; i < p.ops.size() && machine.ready() && out.complaint.empty(); ++i) {
      const op& o = p.ops[i];
      const bool lacks = machine.lacks();
      const answer wanted = expected.expect(o);
      const answer seen = machine.perform(o);
      if (!acceptable(o, seen, wanted, lacks || machine.lacks())) {
        out.complaint =
            at_operation(i, o, pool_language, to_text(seen) + ", not " + to_text(wanted));
        break;
      }
      if (how.trace != nullptr) how.trace->push_back(to_text(seen));
      if (!machine.ready()) break;
      if (how.trace != nullptr) how.trace->push_back(describe_pool(machine.pool()));
      expected.follow(o, seen);
      machine.compare(expected);
      if (const char* const broken = beyond(expected)) machine.complain(broken);
      if (!machine.complaint().empty())
        out.complaint = at_operation(i, o, pool_language, machine.complaint());
    }
    machine.end();
    if (out.complaint.empty()) out.complaint = machine.complaint();
  }
  faults.end();
  const bytes open_after = process_stack_budget().open();
  if (out.complaint.empty() && how.alone && open_after.count != open_before.count) {
    out.complaint = "the process's budget is not what it was";
  }
  faults.end(out);
  return out;
}

}  // namespace

run_result run_pool(const program& p, const run_settings& how) {
  return run(p, how, no_further_law);
}

run_result run_canary(const program& p, const run_settings& how) { return run(p, how, canary_law); }

}  // namespace bast::model
