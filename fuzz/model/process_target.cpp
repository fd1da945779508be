// SPDX-License-Identifier: Apache-2.0
#include "model/process_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

run_result run_process_driver(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    process_harness harness(p.options, faults);
    for (std::size_t i = 0; i < p.ops.size() && harness.ready(); ++i) {
      harness.perform(p.ops[i]);
      if (how.trace != nullptr) how.trace->push_back(harness.seen());
      if (harness.complaint().empty()) continue;
      out.complaint = at_operation(i, p.ops[i], process_language, harness.complaint());
      break;
    }
    harness.end();
    if (out.complaint.empty()) out.complaint = harness.complaint();
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
