// SPDX-License-Identifier: Apache-2.0
#include "model/cancel_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

run_result run_cancel_order(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    cancel_model expected;
    cancel_machine machine(faults);
    for (std::size_t i = 0; i < p.ops.size() && out.complaint.empty(); ++i) {
      const op& o = p.ops[i];
      expected.perform(o, machine.perform(o));
      if (how.trace != nullptr) how.trace->push_back(machine.seen());
      const std::string differs = machine.compare(expected);
      if (!differs.empty()) out.complaint = at_operation(i, o, cancel_language, differs);
    }
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
