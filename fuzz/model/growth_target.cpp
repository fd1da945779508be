// SPDX-License-Identifier: Apache-2.0
#include "model/growth_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

run_result run_growth(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    growth_machine machine(growth_options(p.options), faults);
    for (std::size_t i = 0; i < p.ops.size() && machine.ready(); ++i) {
      machine.perform(p.ops[i]);
      if (how.trace != nullptr) how.trace->push_back(machine.seen());
      if (machine.complaint().empty()) continue;
      out.complaint = at_operation(i, p.ops[i], growth_language, machine.complaint());
      break;
    }
    machine.end();
    if (out.complaint.empty()) out.complaint = machine.complaint();
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
