// SPDX-License-Identifier: Apache-2.0
//
// The errors of setters: the last accepted value, the first refused one, the message, and the
// report of a failure (P-1, P-3, P-8).
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <string>

#include "bast/process/command.hpp"
#include "bast/process/spawn.hpp"

namespace bast {
namespace {

using namespace std::literals;

constexpr std::size_t execve_takes = (std::size_t{128} << 10) - 1;

struct refusal {
  const char* what;
  std::function<void(command&)> set;
  const char* message;
};

TEST(CommandRefusals, P3_EachSaysExactlyWhatIsWrong) {
  const std::string large(execve_takes + 1, 'x');
  const std::string nul = "\0"s;
  const char* const too_long =
      "command: invalid argument: a string is longer than execve takes: 128 KiB with its NUL";
  const char* const bad_name =
      "command: invalid argument: env, unset_env: the name is empty or contains '='";
  const char* const name_nul =
      "command: invalid argument: env, unset_env: the name contains a NUL byte";
  const char* const negative =
      "command: invalid argument: timeout, grace, drain_grace: the duration is negative";
  const char* const bad_pass =
      "command: invalid argument: pass_fd: ours must be a descriptor, theirs 3 or more";
  const char* const bad_signal =
      "command: invalid argument: parent_death_signal: there is no such signal";
  const refusal all[] = {
      {"arg", [&](command& c) { c.arg(nul); },
       "command: invalid argument: argv, arg: an argument contains a NUL byte"},
      {"arg long", [&](command& c) { c.arg(large); }, too_long},
      {"cwd", [&](command& c) { c.cwd(nul); },
       "command: invalid argument: cwd: the path contains a NUL byte"},
      {"cwd long", [&](command& c) { c.cwd(large); }, too_long},
      {"env name", [&](command& c) { c.env(nul, ""); }, name_nul},
      {"env value", [&](command& c) { c.env("a", nul); },
       "command: invalid argument: env: the value contains a NUL byte"},
      {"env empty", [&](command& c) { c.env("", "x"); }, bad_name},
      {"env =", [&](command& c) { c.env("a=b", "x"); }, bad_name},
      {"env long", [&](command& c) { c.env(large, ""); }, too_long},
      {"unset empty", [&](command& c) { c.unset_env(""); }, bad_name},
      {"unset =", [&](command& c) { c.unset_env("="); }, bad_name},
      {"unset nul", [&](command& c) { c.unset_env(nul); }, name_nul},
      {"stdin_fd", [&](command& c) { c.in(from::fd{-1}); },
       "command: invalid argument: in, out, err: the descriptor is negative"},
      {"stderr_path", [&](command& c) { c.err(to::path{nul}); },
       "command: invalid argument: in, out, err: the path contains a NUL byte"},
      {"pass_fd ours", [&](command& c) { c.pass_fd(-1, 3); }, bad_pass},
      {"pass_fd theirs", [&](command& c) { c.pass_fd(0, 2); }, bad_pass},
      {"pass_fd twice", [&](command& c) { c.pass_fd(0, 3).pass_fd(1, 4).pass_fd(2, 3); },
       "command: invalid argument: pass_fd: two descriptors cannot have one number"},
      {"signal -1", [&](command& c) { c.parent_death_signal(-1); }, bad_signal},
      {"signal 65", [&](command& c) { c.parent_death_signal(65); }, bad_signal},
      {"stop 0", [&](command& c) { c.stop_signal(0); },
       "command: invalid argument: stop_signal: there is no such signal"},
      {"stop 65", [&](command& c) { c.stop_signal(65); },
       "command: invalid argument: stop_signal: there is no such signal"},
      {"argv0", [&](command& c) { c.argv0(nul); },
       "command: invalid argument: argv0: the name contains a NUL byte"},
      {"out", [&](command& c) { c.out(to::out{}); },
       "command: invalid argument: out: it cannot lead to itself"},
      {"user", [&](command& c) { c.user(~0U); }, "command: invalid argument: user: -1 is no id"},
      {"group", [&](command& c) { c.group(~0U); }, "command: invalid argument: group: -1 is no id"},
      {"timeout", [&](command& c) { c.timeout(-1ns); }, negative},
      {"grace", [&](command& c) { c.grace(-1ns); }, negative},
      {"drain", [&](command& c) { c.drain_grace(-1ns); }, negative},
  };
  for (const auto& [what, set, message] : all) {
    auto c = command::argv({"a"});
    set(c);
    ASSERT_FALSE(c.verify()) << what;
    EXPECT_EQ(c.verify().error().message(), message) << what;
    EXPECT_EQ(c.verify().error(), errc::invalid) << what;
  }
  EXPECT_EQ(command::argv({""}).verify().error().message(),
            "command: invalid argument: argv, arg: the program has no name");
  EXPECT_EQ(command::argv({}).verify().error().message(),
            "command.start: invalid argument: there is no program to run");
}

TEST(CommandRefusals, P1_TheLargestValuesAreAccepted) {
  const std::string fits(execve_takes, 'x');
  auto c = command::argv({"a", "", fits});
  c.cwd(fits).unset_env(fits).out(to::path{fits}).env("N", fits.substr(2));
  c.env(fits.substr(1), "").timeout(0ns).grace(0ns).drain_grace(0ns);
  c.in(from::fd{0}).pass_fd(0, 3).user(~0U - 1).group(~0U - 1);
  EXPECT_TRUE(c.verify());
  const auto& settings = internal::command_access::settings(c);
  EXPECT_EQ(settings.environment.count(), 3U);
  EXPECT_EQ(settings.policy.timeout, 0ns);
  EXPECT_EQ(settings.policy.grace, 0ns);
  EXPECT_EQ(settings.policy.drain_grace, 0ns);
  for (const auto& [name, value] :
       {std::pair{std::string("N"), fits.substr(1)}, std::pair{fits, std::string()}}) {
    auto d = command::argv({"a"});
    EXPECT_FALSE(d.env(name, value).verify()) << "one byte more than execve accepts";
  }
}

TEST(CommandRefusals, P7_TheLastSignalIs64) {
  for (const int signal_number : {0, 1, 64}) {
    auto c = command::argv({"a"});
    c.parent_death_signal(signal_number);
    EXPECT_TRUE(c.verify()) << signal_number;
    EXPECT_EQ(internal::command_access::settings(c).parent_death_signal, signal_number);
  }
}

TEST(CommandRefusals, P6_AtMost1024DescriptorsArePassed) {
  auto c = command::argv({"a"});
  for (int i = 0; i < 1024; ++i) c.pass_fd(0, 3 + i);
  EXPECT_TRUE(c.verify());
  c.pass_fd(0, 3 + 1024);
  ASSERT_FALSE(c.verify());
  EXPECT_EQ(c.verify().error(), errc::limit);
  EXPECT_EQ(c.verify().error().detail(), "pass_fd: at most 1024 descriptors are passed"s);
  EXPECT_EQ(internal::command_access::settings(c).passed.size(), 1024U);
}

TEST(CommandRefusals, X6_NoMemoryIsNamed) {
  auto c = command::argv({"a"});
  const os::fault_scope fault({.kind = os::call::allocate, .nth = 1});
  c.cwd("/");
  ASSERT_FALSE(c.verify());
  EXPECT_EQ(c.verify().error(), errc::no_memory);
  EXPECT_EQ(c.verify().error().detail(), "no memory for the argument of a setter"s);
}

TEST(CommandRefusals, P8_EachStageHasItsOwnWord) {
  std::string all;
  for (int stage = 0; stage <= 11; ++stage) {
    all += name_of(static_cast<spawn_stage>(stage)) + " "s;
  }
  EXPECT_EQ(
      all,
      "none prepare fork descriptors group limits ids parent_death chdir exec terminal unknown ");
}

TEST(CommandRefusals, P8_AFailureIsTold) {
  const auto words = [](spawn_failure failure) {
    auto c = command::argv({"prog", "argument"});
    c.cwd("/dir");
    internal::command_access::fail(c, failure);
    EXPECT_EQ(c.failure().stage, failure.stage);
    text out;
    c.describe_failure(out);
    internal::command_access::succeed(c);
    text none;
    c.describe_failure(none);
    EXPECT_EQ(none.view(), "") << "the last start succeeded";
    return std::string(out.view());
  };
  EXPECT_EQ(words({}), "");
  EXPECT_EQ(words({.stage = spawn_stage::prepare}), "cannot start 'prog' (prepare)");
  EXPECT_EQ(words({.stage = spawn_stage::fork, .error_number = EAGAIN}),
            "cannot start 'prog' (fork): Resource temporarily unavailable");
  EXPECT_EQ(words({.stage = spawn_stage::chdir, .error_number = EACCES, .setter = "cwd"}),
            "cannot start 'prog' (chdir): cwd '/dir': Permission denied");
}

}  // namespace
}  // namespace bast
