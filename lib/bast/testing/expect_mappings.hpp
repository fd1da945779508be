// SPDX-License-Identifier: Apache-2.0
//
// GoogleTest expectations for `mappings`.
#pragma once

#include <gtest/gtest.h>

#include "bast/testing/mappings.hpp"

namespace bast::test {

/// Expects that the process has exactly `more` bytes of address space beyond `before`.
inline void expect_grown_by(mappings before, std::size_t more) {
  if (mappings::counted) {
    EXPECT_EQ(mappings::now().byte_count, before.byte_count + more);
  }
}

}  // namespace bast::test
