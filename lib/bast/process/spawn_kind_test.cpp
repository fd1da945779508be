// SPDX-License-Identifier: Apache-2.0
//
// The error kind of a failed start without an errno.
#include <gtest/gtest.h>

#include <cerrno>

#include "bast/os.hpp"
#include "bast/process.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

TEST(SpawnKind, P8_NoMemoryForTheProgramsWordsIsNoMemory) {
  auto c = test::child({"exit", "0"});
  for (std::uint64_t nth = 1;; ++nth) {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
    const auto started = internal::spawn(c);
    if (fault.injected() == 0) {
      ASSERT_TRUE(started) << started.error().message();
      os::destroy_process(started->process);
      EXPECT_GT(nth, 2U) << "no call failed";
      return;
    }
    ASSERT_FALSE(started) << nth;
    EXPECT_EQ(started.error(), errc::no_memory) << nth;
    EXPECT_FALSE(c.started()) << nth;
  }
}

}  // namespace
}  // namespace bast
