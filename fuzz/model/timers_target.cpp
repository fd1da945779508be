// SPDX-License-Identifier: Apache-2.0
#include "model/fault_schedule.hpp"
#include "model/target.hpp"
#include "model/timers_machine.hpp"

namespace bast::model {

run_result run_timers(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    timers_machine machine(timers_start(p.options));
    for (std::size_t i = 0; i < p.ops.size() && out.complaint.empty(); ++i) {
      const std::string differs = machine.perform(p.ops[i]);
      if (how.trace != nullptr) how.trace->push_back(machine.seen());
      if (!differs.empty()) out.complaint = at_operation(i, p.ops[i], timers_language, differs);
    }
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
