// SPDX-License-Identifier: Apache-2.0
//
// Laws about scopes: of whole programs.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "model/target.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

RC_GTEST_PROP(ScopeProgram, AnyIsAnsweredAsTheLawsSay, (const any_scope_program& p)) {
  RC_ASSERT(run_scope_program(p.it, {}).complaint == "");
}

}  // namespace
}  // namespace bast::model
