// SPDX-License-Identifier: Apache-2.0
//
// Moved-from objects: every operation returns, and none ends the process.
#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include "bast/process.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;

TEST(MovedFrom, X5_ACommandHasNothingToRun) {
  auto from = command::argv({"/nonexistent", "x"});
  from.cwd("/").env("A", "1").in(from::bytes{"x"}).pass_fd(0, 5);
  EXPECT_FALSE(test::start(from));
  const command to = std::move(from);
  // NOLINTBEGIN(bugprone-use-after-move): tests the moved-from object
  EXPECT_EQ(from.verify().error(), errc::invalid);
  EXPECT_EQ(test::start(from).error().kind(), errc::invalid);
  text why;
  from.describe_failure(why);
  from.unset_env("A").out(to::capture{}).timeout(1s).cancelled_by({});
  EXPECT_EQ(from.verify().error(), errc::invalid);
  EXPECT_FALSE(from.started());
  // It is an ordinary command as soon as there is something to run.
  from = child({"exit", "7"});
  EXPECT_TRUE(test::run(from).exited(7));
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_TRUE(to.verify());
}

TEST(MovedFrom, X5_AResultIsEmpty) {
  process_result from;
  ASSERT_TRUE(from.output.bytes.reserve(8));
  from.output.bytes.commit(3);
  const process_result to = std::move(from);
  EXPECT_EQ(to.output.bytes.size(), 3U);
  // NOLINTBEGIN(bugprone-use-after-move): tests the moved-from object
  byte_buffer& bytes = from.output.bytes;
  EXPECT_EQ(bytes.text(), "");
  EXPECT_TRUE(bytes.span().empty());
  EXPECT_TRUE(bytes.room().empty());
  std::byte some[1];
  EXPECT_EQ(bytes.take(some), 0U);
  bytes.compact();
  bytes.truncate(0);
  EXPECT_EQ(from.check().error(), errc::lost);
  // NOLINTEND(bugprone-use-after-move)
}

}  // namespace
}  // namespace bast
