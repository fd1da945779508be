// SPDX-License-Identifier: Apache-2.0
#include "bast/base/mitigation.hpp"

#include <gtest/gtest.h>

namespace bast {
namespace {

TEST(Mitigation, AHardenedBuildHasAllOfThemAndAnotherNone) {
  EXPECT_EQ(mitigation::hardened, BAST_HARDENED != 0);
  EXPECT_EQ(mitigation::zero_used_by_default, BAST_HARDENED != 0);
  EXPECT_EQ(mitigation::seal_quarantined, BAST_HARDENED != 0);
  // docs/hardening.md names the number.
  EXPECT_EQ(mitigation::quarantine_slots, BAST_HARDENED != 0 ? 64U : 0U);
}

}  // namespace
}  // namespace bast
