// SPDX-License-Identifier: Apache-2.0
//
// For one-time initialisation: its tests need a process in which the library was not used before,
// whatever ran before in this one.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include "bast/testing/in_child.hpp"
#include "bast/watch.hpp"

namespace bast::test {

/// Expects 0 from `body`, run in a new process of this program that runs the test up to here. If a
/// program cannot execute itself, forks this process, provided that it is still fresh.
template <class Body>
void expect_in_fresh_process(Body body) {
  if (BAST_EMULATED || BAST_WITH_VALGRIND) {
    if (watch::registry() != nullptr) GTEST_SKIP() << "here a program cannot execute itself";
    EXPECT_EQ(in_child(body), 0);
    return;
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // restored at the end of the test
  EXPECT_EXIT(::_exit(watch::registry() != nullptr ? 99 : body()), ::testing::ExitedWithCode(0),
              "");
}

}  // namespace bast::test
