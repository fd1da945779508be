// SPDX-License-Identifier: Apache-2.0
//
// The arguments of execve, checked before anything starts (P-1, P-2).
#include "bast/process/image.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bast/process/command.hpp"

namespace bast {
namespace {

using internal::image;
using string_vector = std::vector<std::string>;

string_vector strings_of(char* const* list) {
  string_vector all;
  for (; *list != nullptr; ++list) all.emplace_back(*list);
  return all;
}

/// Replaces the environment of this process during its life: exactly these entries, or none.
class only_environment {
 public:
  explicit only_environment(std::vector<const char*> entries) : entries_(std::move(entries)) {
    for (const char* const entry : entries_) pointers_.push_back(const_cast<char*>(entry));
    pointers_.push_back(nullptr);
    environ = pointers_.data();
  }
  explicit only_environment(std::nullptr_t) { environ = nullptr; }
  ~only_environment() { environ = before_; }
  only_environment(const only_environment&) = delete;
  only_environment& operator=(const only_environment&) = delete;

 private:
  char** const before_ = environ;
  std::vector<const char*> entries_;
  std::vector<char*> pointers_;
};

/// A directory with an executable and a plain file, which is the working directory meanwhile.
class working_place {
 public:
  working_place() {
    std::string name = std::filesystem::temp_directory_path() / "bast.XXXXXX";
    path_ = std::filesystem::canonical(::mkdtemp(name.data()));
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(path_);
    std::filesystem::create_directory("bin");
    touch("tool", 0755);
    touch("bin/tool", 0755);
    touch("plain", 0644);
    std::filesystem::create_symlink("loop", "loop");
  }
  ~working_place() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(path_);
  }
  working_place(const working_place&) = delete;
  working_place& operator=(const working_place&) = delete;
  const std::string& path() const { return path_; }

 private:
  static void touch(const char* name, mode_t mode) {
    std::FILE* const file = std::fopen(name, "we");
    ASSERT_NE(file, nullptr);
    std::fclose(file);
    ::chmod(name, mode);
  }
  std::string path_;
  std::filesystem::path before_;
};

std::string program_of(const command& c) {
  image made;
  const auto built = made.build(internal::command_access::settings(c));
  EXPECT_TRUE(made.has_strings());
  return built ? made.program() : built.error().message();
}

TEST(Image, P1_ArgumentsAreThoseOfTheCommandEachTime) {
  auto c = command::argv({"/bin/a", "", "b c"});
  auto d = command::argv({"/bin/d"});
  image made;
  EXPECT_FALSE(made.has_strings());
  for (int life = 0; life < 2; ++life) {
    ASSERT_TRUE(made.build(internal::command_access::settings(c)));
    EXPECT_EQ(strings_of(made.arguments()), (string_vector{"/bin/a", "", "b c"}));
    EXPECT_EQ(made.program(), std::string("/bin/a"));
    ASSERT_TRUE(made.build(internal::command_access::settings(d.clear_env())));
    EXPECT_EQ(strings_of(made.arguments()), (string_vector{"/bin/d"}));
    EXPECT_EQ(strings_of(made.environment()), string_vector{});
    EXPECT_EQ(made.program(), std::string("/bin/d"));
  }
}

TEST(Image, P2_OursComesFirstAndThenEachEditOnce) {
  const only_environment ours({"A=1", "AB=2", "B=3", "strange", "C=4", "=5"});
  const auto environment_of = [](const command& c) {
    image made;
    EXPECT_TRUE(made.build(internal::command_access::settings(c)));
    return strings_of(made.environment());
  };
  auto c = command::argv({"/a"});
  EXPECT_EQ(environment_of(c), (string_vector{"A=1", "AB=2", "B=3", "strange", "C=4", "=5"}));
  c.env("B", "x=y").env("D", "").unset_env("A").unset_env("absent");
  EXPECT_EQ(environment_of(c), (string_vector{"AB=2", "strange", "C=4", "=5", "B=x=y", "D="}));
  c.env("A", "again").env("B", "z").unset_env("D").unset_env("strange");
  EXPECT_EQ(environment_of(c), (string_vector{"AB=2", "C=4", "=5", "A=again", "B=z"}));
  c.clear_env().env("E", "1");
  EXPECT_EQ(environment_of(c), (string_vector{"E=1"}));
}

TEST(Image, P2_AProcessWithoutEnvironmentHasNoneToInherit) {
  const only_environment none(nullptr);
  auto c = command::argv({"/a"});
  c.env("A", "1");
  image made;
  ASSERT_TRUE(made.build(internal::command_access::settings(c)));
  EXPECT_EQ(strings_of(made.environment()), (string_vector{"A=1"}));
}

TEST(Image, P1_WhereAProgramIsFound) {
  const working_place place;
  const std::string& here = place.path();
  const std::string absolute = here + "/bin";
  const struct {
    std::string name;
    std::string path;
    std::string directory;
    std::string expected;
  } all[] = {
      {"/any/where", "", "", "/any/where"},
      {"/any/where", "", "/usr", "/any/where"},
      {"./tool", "", "", "./tool"},
      {"./tool", "", "/usr", here + "/./tool"},
      {"bin/tool", "/nonexistent", "/usr", here + "/bin/tool"},
      {"tool", "", "", "./tool"},
      {"tool", "", "/usr", here + "/./tool"},
      {"tool", ":" + absolute, "", "./tool"},
      {"tool", absolute + ":", "", absolute + "/tool"},
      {"tool", absolute, "/usr", absolute + "/tool"},
      {"tool", "/nonexistent:bin", "", "bin/tool"},
      {"tool", "/nonexistent:bin", "/usr", here + "/bin/tool"},
      {"tool", "plain:loop:" + std::string(300, 'n') + "::bin", "", "./tool"},
  };
  for (const auto& [name, path, directory, expected] : all) {
    auto c = command::argv({name});
    c.env("PATH", path);
    if (!directory.empty()) c.cwd(directory);
    EXPECT_EQ(program_of(c), expected) << name << " in '" << path << "' for " << directory;
  }
}

TEST(Image, P1_TheVerdictIsPermissionIfAnyDirectoryHadTheFile) {
  const working_place place;
  const auto missing =
      "command.start: system error: there is no file of this name in PATH [errno " +
      std::to_string(ENOENT) + "]";
  const auto refused =
      "command.start: system error: no file of this name in PATH may be executed [errno " +
      std::to_string(EACCES) + "]";
  const auto program = [](const char* name, const char* path) {
    auto c = command::argv({name});
    c.env("PATH", path);
    return program_of(c);
  };
  EXPECT_EQ(program("absent", ".:bin"), missing);
  EXPECT_EQ(program("plain", ".:bin"), refused);
  EXPECT_EQ(program("plain", "bin:."), refused);
  EXPECT_EQ(program("bin", "."), refused) << "a directory is not a program";
  EXPECT_EQ(program("tool", "PATH=."), missing);
}

TEST(Image, P1_WithoutPathBinComesBeforeUsrBin) {
  auto c = command::argv({"sh"});
  c.clear_env().env("XPATH", "/nonexistent").env("PATHS", "/nonexistent");
  EXPECT_EQ(program_of(c), "/bin/sh");
  // If the first directories lack it: each one costs a stat.
  const os::fault_scope fault({.kind = os::call::open, .nth = 1, .error_number = ENOENT});
  EXPECT_EQ(program_of(c), "/usr/bin/sh");
}

TEST(Image, P1_OnlyWhatIsAboutOneDirectoryLeadsToTheNext) {
  auto c = command::argv({"sh"});
  c.clear_env();
  for (const int number : {ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG}) {
    const os::fault_scope fault({.kind = os::call::open, .nth = 1, .error_number = number});
    EXPECT_EQ(program_of(c), "/usr/bin/sh") << number;
  }
  for (const int number : {EIO, ENOMEM, EPERM, EMFILE}) {
    const os::fault_scope fault({.kind = os::call::open, .nth = 1, .error_number = number});
    image made;
    const auto built = made.build(internal::command_access::settings(c));
    ASSERT_FALSE(built) << number;
    EXPECT_EQ(built.error().error_number(), number);
    EXPECT_EQ(fault.seen(), 1U) << "the search continued";
  }
}

TEST(Image, P2_ALostWorkingDirectoryIsAnErrorOnlyWhereItMatters) {
  const os::fault_scope fault(
      {.kind = os::call::open, .nth = 1, .persistent = true, .error_number = ENOENT});
  auto c = command::argv({"./relative"});
  EXPECT_EQ(program_of(c), "./relative");
  c.cwd("/usr");
  EXPECT_NE(program_of(c).find("os.working_directory"), std::string::npos) << program_of(c);
}

TEST(Image, P2_AsManyEditsAsThereMayBeAreDoneInTheirOrder) {
  // Every name twice, the first half removed again: a pairwise comparison would take 10^9 steps.
  constexpr int names = 20'000;
  auto c = command::argv({"/a"});
  c.clear_env();
  const auto name = [](int i) { return "N" + std::to_string(i); };
  for (int i = 0; i < names; ++i) c.env(name(i), "first");
  for (int i = names; i-- > 0;) c.env(name(i), "last");
  for (int i = 0; i < names / 2; ++i) c.unset_env(name(i));
  image made;
  ASSERT_TRUE(made.build(internal::command_access::settings(c)));
  const string_vector all = strings_of(made.environment());
  ASSERT_EQ(all.size(), static_cast<std::size_t>(names / 2));
  for (int i = 0; i < names / 2; ++i) {
    ASSERT_EQ(all[static_cast<std::size_t>(i)], name(names - 1 - i) + "=last");
  }
}

TEST(Image, X6_EachAllocationThatFailsIsNoMemory) {
  auto c = command::argv({"/a", "b"});
  c.clear_env().env("A", "1");
  for (std::uint64_t nth = 1; nth <= 5; ++nth) {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
    image made;
    const auto built = made.build(internal::command_access::settings(c));
    ASSERT_FALSE(built) << nth;
    EXPECT_EQ(built.error().message(),
              "command.start: no memory: there is no memory for arguments or environment");
    EXPECT_EQ(made.has_strings(), nth == 5) << nth;
  }
}

}  // namespace
}  // namespace bast
