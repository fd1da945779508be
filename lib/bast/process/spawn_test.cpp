// SPDX-License-Identifier: Apache-2.0
#include "bast/process/spawn.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "bast/testing/emulation.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;
using test::counted;
namespace fs = std::filesystem;

class Spawn : public test::spawn_test {};
INSTANTIATE_TEST_SUITE_P(Memory, Spawn, test::both_memories, test::memory_name);

/// A directory that is removed at the end of the test.
class scratch {
 public:
  scratch() {
    std::string name = fs::temp_directory_path() / "bast.XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~scratch() { fs::remove_all(path_); }
  fs::path file(const char* name, const std::string& contents, int mode) const {
    const fs::path path = fs::path(path_) / name;
    std::ofstream(path) << contents;
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string every_byte() {
  std::string all;
  for (int c = 1; c <= 255; ++c) all += static_cast<char>(c);
  return all;
}

TEST_P(Spawn, P8_SuccessMeansThatTheProgramRuns) {
  auto c = child({"exit", "7"});
  EXPECT_FALSE(c.started());
  const auto ended = run(c);
  EXPECT_TRUE(ended.exited(7)) << ended;
  EXPECT_TRUE(c.started());
  EXPECT_EQ(c.failure().stage, spawn_stage::none);
}

TEST_P(Spawn, P12_ASignalIsSeenAsOne) {
  auto c = child({"signal", "9"});
  const auto ended = run(c);
  EXPECT_EQ(ended.cause, CLD_KILLED);
  EXPECT_EQ(ended.status, SIGKILL);
}

TEST_P(Spawn, P1_ArgumentsPassByteForByte) {
  const std::string odd = every_byte();
  const std::string large(120 << 10, 'x');
  auto c = child({"argv", "", " ", "$HOME `ls` \"'", odd, large});
  c.out(to::pipe{});
  const auto ended = run(c);
  ASSERT_TRUE(ended.exited(0)) << ended;
  const std::vector<std::string> expected = {BAST_TEST_CHILD,  "argv", "",   " ",
                                             "$HOME `ls` \"'", odd,    large};
  EXPECT_EQ(counted(ended.out), expected);
}

TEST_P(Spawn, P1_ShellIsExactlyBinSh) {
  auto c = command::shell("printf '%s|' \"$0\" $((6 * 7)); exit 4");
  c.out(to::pipe{});
  const auto ended = run(c);
  EXPECT_TRUE(ended.exited(4)) << ended;
  EXPECT_EQ(ended.out, "/bin/sh|42|");
}

TEST_P(Spawn, P2_TheEnvironmentIsInheritedAndEdited) {
  ::setenv("BAST_KEPT", "kept", 1);
  ::setenv("BAST_GONE", "gone", 1);
  ::setenv("BAST_CHANGED", "old", 1);
  const std::string odd = every_byte();
  auto c = child({"env"});
  c.unset_env("BAST_GONE").env("BAST_CHANGED", "1").env("BAST_CHANGED", "2").env("BAST_ODD", odd);
  c.env("BAST_BRIEF", "x")
      .unset_env("BAST_BRIEF")
      .env("BAST_EMPTY", "")
      .env("BAST_LARGE", std::string(100000, 'v'));
  const auto ended = run(c.out(to::pipe{}));
  ASSERT_TRUE(ended.exited(0)) << ended;
  std::vector<std::string> ours;
  for (const auto& entry : counted(ended.out)) {
    if (entry.starts_with("BAST_")) ours.push_back(entry.substr(0, 5000));
  }
  std::sort(ours.begin(), ours.end());
  const std::vector<std::string> expected = {"BAST_CHANGED=2", "BAST_EMPTY=", "BAST_KEPT=kept",
                                             "BAST_LARGE=" + std::string(4989, 'v'),
                                             "BAST_ODD=" + odd};
  EXPECT_EQ(ours, expected);
}

TEST_P(Spawn, P2_TheEnvironmentIsReplaced) {
  ::setenv("BAST_KEPT", "kept", 1);
  auto c = child({"env"});
  c.env("FORGOTTEN", "1").clear_env().env("B", "2").env("A", "1");
  const auto ended = run(c.out(to::pipe{}));
  EXPECT_THAT(counted(ended.out), testing::UnorderedElementsAre("B=2", "A=1"));
  auto none = child({"env"});
  EXPECT_EQ(run(none.clear_env().out(to::pipe{})).out, "");
}

TEST_P(Spawn, P2_TheDirectoryIsTheChildsOnly) {
  const std::string before = fs::current_path();
  auto c = child({"cwd"});
  const auto ended = run(c.cwd("/usr/lib").out(to::pipe{}));
  EXPECT_EQ(ended.out, "/usr/lib\n") << ended;
  EXPECT_EQ(fs::current_path(), before);
}

TEST_P(Spawn, P2_ARelativeProgramIsRelativeToOurDirectory) {
  const scratch place;
  place.file("program", "#!/bin/sh\npwd\n", 0755);
  const std::string before = fs::current_path();
  fs::current_path(place.path());
  auto c = command::argv({"./program"});
  const auto with_directory = run(c.cwd("/usr").out(to::pipe{}));
  auto d = command::argv({"./program"});
  const auto without = run(d.out(to::pipe{}));
  fs::current_path(before);
  EXPECT_EQ(with_directory.out, "/usr\n") << with_directory;
  EXPECT_EQ(without.out, fs::canonical(place.path()).string() + "\n") << without;
}

TEST_P(Spawn, P1_TheChildsOwnPathIsSearched) {
  const scratch first;
  const scratch second;
  fs::create_directory(fs::path(first.path()) / "tool");  // not a regular file
  first.file("other", "#!/bin/sh\necho first\n", 0644);   // not executable
  second.file("tool", "#!/bin/sh\necho tool\n", 0755);
  second.file("other", "#!/bin/sh\necho other\n", 0755);
  const std::string path = "/nonexistent:" + first.path() + ":" + second.path() + ":/bin";
  for (const char* const name : {"tool", "other"}) {
    auto c = command::argv({name});
    const auto ended = run(c.env("PATH", path).out(to::pipe{}));
    EXPECT_EQ(ended.out, std::string(name) + "\n") << ended;
  }
  auto ours = command::argv({"tool"});
  EXPECT_EQ(run(ours).failure->error_number(), ENOENT);
  EXPECT_EQ(ours.failure().stage, spawn_stage::exec);
}

TEST_P(Spawn, P1_AnEmptyOrRelativeEntryOfPathIsOurDirectory) {
  const scratch place;
  place.file("tool", "#!/bin/sh\npwd\n", 0755);
  const std::string before = fs::current_path();
  fs::current_path(place.path());
  const std::string parent = "../" + fs::path(place.path()).filename().string();
  for (const std::string& path : {std::string(":/bin"), std::string("/bin:"), std::string("."),
                                  std::string("/nonexistent::/bin"), parent}) {
    auto c = command::argv({"tool"});
    const auto ended = run(c.env("PATH", path).cwd("/usr").out(to::pipe{}));
    EXPECT_EQ(ended.out, "/usr\n") << path << ": " << ended;
  }
  fs::current_path(before);
}

TEST_P(Spawn, P1_WithoutPathTheUsualPlacesAreSearched) {
  auto c = command::argv({"true"});
  EXPECT_TRUE(run(c.clear_env()).exited(0));
}

TEST_P(Spawn, P3_ACommandStartsOnce) {
  auto c = child({"exit", "0"});
  ASSERT_TRUE(run(c).exited(0));
  const auto again = run(c);
  ASSERT_TRUE(again.failure);
  EXPECT_EQ(*again.failure, errc::bad_state);
  EXPECT_EQ(c.failure().stage, spawn_stage::none) << "the first start did not fail";
  c.cwd("/");
  ASSERT_FALSE(c.verify());
  EXPECT_EQ(c.verify().error(), errc::bad_state);
}

TEST_P(Spawn, P7_SignalsStartFromTheirDefaults) {
  if (test::emulated) GTEST_SKIP() << "what is told are qemu-user's own handlers";
  const auto handler = [](int) {};
  const test::disposition changed[] = {{SIGPIPE, SIG_IGN},
                                       {SIGINT, SIG_IGN},
                                       {SIGUSR1, SIG_IGN},
                                       {SIGRTMIN + 1, SIG_IGN},
                                       {SIGTERM, handler}};
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  for (const int number : {SIGHUP, SIGUSR2, SIGSEGV}) sigaddset(&blocked, number);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  auto c = child({"signals"});
  const auto told = test::keyed(run(c.out(to::pipe{})).out);
  for (const char* const field : {"SigBlk", "SigIgn", "SigCgt"}) {
    ASSERT_TRUE(told.contains(field));
    EXPECT_EQ(std::stoull(told.at(field), nullptr, 16), 0U) << field;
  }
  // And ours are unchanged.
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, &before, &now);
  EXPECT_TRUE(sigismember(&now, SIGHUP));
  EXPECT_FALSE(sigismember(&now, SIGINT));
  struct sigaction action{};
  ::sigaction(SIGTERM, nullptr, &action);
  EXPECT_EQ(action.sa_handler, +handler);
}

}  // namespace
}  // namespace bast
