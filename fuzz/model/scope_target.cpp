// SPDX-License-Identifier: Apache-2.0
#include "model/fault_schedule.hpp"
#include "model/scope_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

run_result run_scope_program(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    scope_machine machine(p, how.plan.has_value());
    out.complaint = machine.run();
    if (how.trace != nullptr) how.trace->push_back(machine.seen());
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
