// SPDX-License-Identifier: Apache-2.0
//
// For what a process does once, when it first uses the library: a test of that needs a process in
// which nothing was used before, whatever ran before it in this one.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include "bast/testing/in_child.hpp"
#include "bast/watch.hpp"

namespace bast::test {

/// Expects 0 from `body`, run in a new process of this program, which runs the test up to here.
/// Where a program cannot execute itself, the process is forked, if it is still fresh.
template <class Body>
void expect_in_fresh_process(Body body) {
  if (BAST_EMULATED || BAST_WITH_VALGRIND) {
    if (watch::registry() != nullptr) GTEST_SKIP() << "here a program cannot execute itself";
    EXPECT_EQ(in_child(body), 0);
    return;
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // put back when the test ends
  EXPECT_EXIT(::_exit(watch::registry() != nullptr ? 99 : body()), ::testing::ExitedWithCode(0),
              "");
}

}  // namespace bast::test
