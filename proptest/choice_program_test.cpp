// SPDX-License-Identifier: Apache-2.0
//
// Laws about choices: of whole programs.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "model/target.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

RC_GTEST_PROP(ChoiceProgram, AnyIsAnsweredAsTheLawsSay, (const any_choice_program& p)) {
  RC_ASSERT(run_choice(p.it, {}).complaint == "");
}

}  // namespace
}  // namespace bast::model
