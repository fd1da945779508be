// SPDX-License-Identifier: Apache-2.0
#include "model/choice_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

run_result run_choice(const program& p, const run_settings& how) {
  run_result out;
  fault_schedule faults(how.plan);
  {
    choice_machine machine(faults, choice_language.option(p.options, "seed"));
    for (std::size_t i = 0; i < p.ops.size() && out.complaint.empty(); ++i) {
      const std::string differs = machine.perform(p.ops[i]);
      if (how.trace != nullptr) how.trace->push_back(machine.seen());
      if (!differs.empty()) out.complaint = at_operation(i, p.ops[i], choice_language, differs);
    }
    const op last{.kind = static_cast<std::uint8_t>(choice_op::run)};
    if (const std::string differs = machine.perform(last);
        out.complaint.empty() && !differs.empty()) {
      out.complaint = "at the end: " + differs;
    }
  }
  faults.end(out);
  return out;
}

}  // namespace bast::model
