// SPDX-License-Identifier: Apache-2.0
#include "model/command_harness.hpp"
#include "model/target.hpp"

namespace bast::model {

run_result run_command_argv_env(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    command_harness harness(faults);
    for (std::size_t i = 0; i < p.ops.size() && harness.complaint().empty(); ++i) {
      harness.perform(p.ops[i]);
      if (how.trace != nullptr) how.trace->push_back(harness.seen(p.ops[i].who));
      if (harness.complaint().empty()) continue;
      out.complaint = at_operation(i, p.ops[i], command_language, harness.complaint());
    }
    if (out.complaint.empty()) {
      harness.compare_all();
      out.complaint = harness.complaint();
    }
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
