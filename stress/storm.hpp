// SPDX-License-Identifier: Apache-2.0
//
// `storm`: random programs, one after the other, on the calling thread; and whether the process is
// unchanged when all are done.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/baseline.hpp"
#include "model/growth_language.hpp"
#include "model/pool_language.hpp"
#include "model/target.hpp"
#include "scenario.hpp"

namespace bast::stress {

/// One random program, without injected faults. False if it complained; reports the complaint.
inline bool one_program(run& r, const char* target, std::mt19937_64& random) {
  const model::target& t = *model::find_target(target);
  model::program p = model::generate(random, t.words, 1 + random() % 100);
  model::leave_out(p, t.words.faults);
  const model::run_result out = t.run(p, {.plan = {}, .alone = false});
  if (out.complaint.empty()) return true;
  r.fail(out.complaint + "\n" + model::print(p, t.words));
  return false;
}

/// Programs until the time is over. Returns their number.
inline std::uint64_t storm(run& r, const char* target, std::mt19937_64 random) {
  std::uint64_t programs = 0;
  while (r.goes_on() && one_program(r, target, random)) ++programs;
  return programs;
}

/// The resources that the process must hold again after a scenario. Without the number of mappings:
/// the C library keeps stacks and arenas of ended threads.
class books {
 public:
  books() : held_(test::process_counts::now()), open_(process_stack_budget().open().count) {}

  void balance(run& r) const {
    if (const std::size_t open = process_stack_budget().open().count; open != open_) {
      r.fail("the process's budget is charged with " + std::to_string(open) + " bytes, not " +
             std::to_string(open_));
    }
    const test::process_counts now = test::process_counts::now();
    if (now.fds != held_.fds) {
      r.fail("descriptors: " + std::to_string(held_.fds) + " before, " + std::to_string(now.fds) +
             " now");
    }
    if (const std::size_t pending = os::retry_pending_releases(); pending != 0) {
      r.fail(std::to_string(pending) + " unmappings are pending");
    }
  }

 private:
  test::process_counts held_;
  std::size_t open_;
};

}  // namespace bast::stress
