// SPDX-License-Identifier: Apache-2.0
#include "bast/process/command.hpp"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "bast/process/spawn.hpp"

namespace bast {
namespace {

using internal::command_access;
using std::chrono::nanoseconds;

static_assert(std::is_nothrow_move_constructible_v<command>);
static_assert(!std::is_copy_constructible_v<command>);

TEST(Command, P3_NothingHappensUntilItStarts) {
  const os::fault_scope counted({.kind = os::call::spawn});
  auto c = command::argv({"true"});
  c.cwd("/nonexistent").in(from::fd{1 << 20}).out(to::path{"/nonexistent/file"}).pass_fd(999999, 3);
  EXPECT_TRUE(c.verify());
  EXPECT_EQ(counted.seen(), 0U);
  EXPECT_FALSE(c.started());
}

TEST(Command, P1_WhatNoExecveTakesIsRefused) {
  using namespace std::literals;
  const std::string large(std::size_t{128} << 10, 'x');  // one byte too many with its NUL
  const std::string_view fits = std::string_view(large).substr(1);
  const struct {
    const char* what;
    command c;
  } refused[] = {
      {"no program", command::argv({})},
      {"no name", command::argv({""})},
      {"a NUL in the program", command::argv({"a\0b"sv})},
      {"a NUL in an argument", command::argv({"a", "b\0"sv})},
      {"a NUL in a script", command::shell("echo \0"sv)},
      {"a long argument", command::argv({"a", large})},
      {"a NUL in the directory", std::move(command::argv({"a"}).cwd("\0"sv))},
      {"a NUL in a name", std::move(command::argv({"a"}).env("\0"sv, ""))},
      {"a NUL in a value", std::move(command::argv({"a"}).env("A", "\0"sv))},
      {"a NUL in a name to unset", std::move(command::argv({"a"}).unset_env("\0"sv))},
      {"no name of a variable", std::move(command::argv({"a"}).env("", "b"))},
      {"= in a name", std::move(command::argv({"a"}).env("A=", "b"))},
      {"= in a name to unset", std::move(command::argv({"a"}).unset_env("A=b"))},
      {"a long variable", std::move(command::argv({"a"}).env("AB", fits.substr(2)))},
      {"a NUL in a path", std::move(command::argv({"a"}).out(to::path{"\0"sv}))},
      {"a negative descriptor", std::move(command::argv({"a"}).in(from::fd{-1}))},
      {"a negative descriptor to pass", std::move(command::argv({"a"}).pass_fd(-1, 3))},
      {"a standard number", std::move(command::argv({"a"}).pass_fd(5, 2))},
      {"a number twice", std::move(command::argv({"a"}).pass_fd(5, 7).pass_fd(6, 7))},
      {"no signal", std::move(command::argv({"a"}).parent_death_signal(65))},
      {"no user", std::move(command::argv({"a"}).user(static_cast<uid_t>(-1)))},
      {"no group", std::move(command::argv({"a"}).group(static_cast<gid_t>(-1)))},
      {"a negative timeout", std::move(command::argv({"a"}).timeout(nanoseconds(-1)))},
      {"a negative grace", std::move(command::argv({"a"}).grace(nanoseconds(-1)))},
      {"a negative drain grace", std::move(command::argv({"a"}).drain_grace(nanoseconds(-1)))},
  };
  for (const auto& [what, c] : refused) {
    ASSERT_FALSE(c.verify()) << what;
    EXPECT_EQ(c.verify().error(), errc::invalid) << what;
  }
  EXPECT_TRUE(command::argv({"a", fits}).verify());
  EXPECT_TRUE(command::argv({"a"}).env("AB", fits.substr(3)).verify());
}

TEST(Command, P3_TheFirstProblemIsTheOneThatIsTold) {
  auto c = command::argv({"a"});
  c.env("", "").pass_fd(-1, 0);
  const auto told = c.verify();
  ASSERT_FALSE(told);
  EXPECT_NE(std::string(told.error().detail()).find("env, unset_env"), std::string::npos);
  const auto started = internal::spawn(c);
  ASSERT_FALSE(started);
  EXPECT_EQ(std::string(started.error().detail()), told.error().detail());
  EXPECT_EQ(c.failure().stage, spawn_stage::prepare);
}

TEST(Command, X6_NoMemoryIsRememberedByEverySetter) {
  const auto set_everything = [] {
    auto c = command::argv({"program", "argument"});
    const gid_t groups[] = {1, 2};
    c.cwd("/").env("A", "1").unset_env("B").in(from::bytes{"bytes"}).out(to::path{"/dev/null"});
    return std::move(c.pass_fd(1, 3).limit(RLIMIT_CORE, 0, 0).groups(groups));
  };
  std::uint64_t allocations = 0;
  {
    const os::fault_scope counted({.kind = os::call::allocate});
    EXPECT_TRUE(set_everything().verify());
    allocations = counted.seen();
  }
  ASSERT_GE(allocations, 8U);
  for (std::uint64_t nth = 1; nth <= allocations; ++nth) {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
    const auto c = set_everything();
    ASSERT_FALSE(c.verify()) << nth;
    EXPECT_TRUE(c.verify().error() == errc::no_memory || nth == 1) << nth;
  }
}

TEST(Command, P4_DefaultsAreTheSafeOnes) {
  using kind = internal::stream_settings::kind;
  const auto c = command::argv({"a"});
  const auto& settings = command_access::settings(c);
  EXPECT_EQ(settings.streams[0].to, kind::null);
  EXPECT_EQ(settings.streams[1].to, kind::inherit);
  EXPECT_EQ(settings.streams[2].to, kind::inherit);
  EXPECT_EQ(settings.group, internal::child_group::own);
  EXPECT_FALSE(settings.keep_foreign_fds);
  EXPECT_EQ(settings.policy.timeout, std::chrono::nanoseconds::max());
  EXPECT_EQ(settings.policy.grace, std::chrono::seconds(5));
  EXPECT_EQ(settings.policy.drain_grace, std::chrono::milliseconds(250));
  EXPECT_EQ(settings.policy.output.policy, on_limit::error_and_kill);
}

TEST(Command, P3_SettersAreRememberedForWhoeverFollowsTheProcess) {
  auto c = command::argv({"a"});
  c.timeout(nanoseconds(1)).grace(nanoseconds(2)).drain_grace(nanoseconds(3)).kill_group_on_exit();
  c.err(to::capture{.limit = {10}, .policy = on_limit::backpressure});
  const auto& settings = command_access::settings(c);
  EXPECT_EQ(settings.policy.timeout, nanoseconds(1));
  EXPECT_EQ(settings.policy.grace, nanoseconds(2));
  EXPECT_EQ(settings.policy.drain_grace, nanoseconds(3));
  EXPECT_TRUE(settings.policy.kill_group_on_exit);
  EXPECT_EQ(settings.policy.errors.limit, bytes{10});
  EXPECT_EQ(settings.policy.errors.policy, on_limit::backpressure);
}

TEST(Command, P3_MovesWithEverythingItRemembers) {
  auto first = command::argv({"a", "b"});
  first.env("", "");
  const command second = std::move(first);
  EXPECT_FALSE(second.verify());
  EXPECT_EQ(command_access::settings(second).arguments.count(), 2U);
}

TEST(Command, P3_WhatWasMovedFromHasNothingToRun) {
  auto first = command::argv({"/bin/true", "b"});
  auto second = command::argv({"/bin/false"});
  second = std::move(first);
  const auto refused =
      first.verify();  // NOLINT(bugprone-use-after-move): tests the moved-from object
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), errc::invalid);
  EXPECT_FALSE(internal::spawn(first));
  text words;
  first.describe_failure(words);
  EXPECT_EQ(words.view(), "cannot start '' (prepare): there is no program to run");
  first.arg("again");
  EXPECT_EQ(command_access::settings(first).arguments.count(), 1U);
  EXPECT_EQ(command_access::settings(second).arguments.count(), 2U);
}

TEST(Command, P8_EveryStageHasAName) {
  for (int stage = 0; stage <= static_cast<int>(spawn_stage::exec); ++stage) {
    EXPECT_STRNE(name_of(static_cast<spawn_stage>(stage)), "unknown");
  }
  EXPECT_STREQ(name_of(static_cast<spawn_stage>(99)), "unknown");
}

}  // namespace
}  // namespace bast
