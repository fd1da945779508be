// SPDX-License-Identifier: Apache-2.0
#include "model/combined_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

run_result run_combined(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    const combined_choice chosen = combined_options(p.options);
    combined_model expected(chosen.pool);
    combined_machine machine(chosen, faults);
    for (std::size_t i = 0; i < p.ops.size() && machine.ready() && out.complaint.empty(); ++i) {
      const op& o = p.ops[i];
      if (!expected.permits(o)) continue;
      const combined_memory memory = machine.perform(o);
      if (how.trace != nullptr) machine.trace(*how.trace);
      if (!machine.ready()) break;
      expected.perform(o, memory);
      const std::string differs = machine.compare(expected);
      if (!differs.empty()) out.complaint = at_operation(i, o, combined_language, differs);
    }
    machine.end();
    if (out.complaint.empty()) out.complaint = machine.complaint();
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
