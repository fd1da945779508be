// SPDX-License-Identifier: Apache-2.0
//
// Laws about fibers: of whole programs.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "model/target.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

RC_GTEST_PROP(SchedProgram, AnyIsAnsweredAsTheLawsSay, (const any_sched_program& p)) {
  RC_ASSERT(run_sched(p.it, {}).complaint == "");
}

}  // namespace
}  // namespace bast::model
