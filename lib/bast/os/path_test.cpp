// SPDX-License-Identifier: Apache-2.0
#include "bast/os/path.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "bast/os/descriptor.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

/// A file for each test, in a directory of its own.
class Path : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(directory_), nullptr);
    file_ = std::string(directory_) + "/file";
    link_ = std::string(directory_) + "/link";
    ASSERT_TRUE(open_file(file_.c_str(), O_WRONLY | O_CREAT, 0600));
  }
  void TearDown() override {
    (void)::unlink(file_.c_str());
    (void)::unlink(link_.c_str());
    EXPECT_EQ(::rmdir(directory_), 0);
  }
  /// The error of check_executable, or "".
  static std::string verdict(const std::string& path) {
    const auto status = check_executable(path.c_str());
    return status ? "" : status.error().message();
  }
  static std::string refusal(const char* detail, int error_number) {
    return std::string("os.check_executable: system error: ") + detail + " [errno " +
           std::to_string(error_number) + ']';
  }

  char directory_[32] = "/tmp/bast-os-XXXXXX";
  std::string file_;
  std::string link_;
};

TEST_F(Path, P1_ARegularFileWithAPermissionToExecute) {
  ASSERT_EQ(::chmod(file_.c_str(), 0700), 0);
  EXPECT_EQ(verdict(file_), "");
  ASSERT_EQ(::symlink(file_.c_str(), link_.c_str()), 0);
  EXPECT_EQ(verdict(link_), "") << "through a link";
  ASSERT_EQ(::chmod(file_.c_str(), 0600), 0);
  EXPECT_EQ(verdict(file_), refusal("the file may not be executed", EACCES));
}

TEST_F(Path, P1_NothingElse) {
  EXPECT_EQ(verdict(directory_), refusal("this is no regular file", EACCES));
  EXPECT_EQ(verdict("/dev/null"), refusal("this is no regular file", EACCES));
  EXPECT_EQ(verdict("/nonexistent"), refusal("stat refused the path", ENOENT));
  EXPECT_EQ(verdict(file_ + "/below"), refusal("stat refused the path", ENOTDIR));
  ASSERT_EQ(::symlink("link", link_.c_str()), 0);
  EXPECT_EQ(verdict(link_), refusal("stat refused the path", ELOOP));
}

TEST_F(Path, P1_ARefusedCallKeepsItsErrno) {
  ASSERT_EQ(::chmod(file_.c_str(), 0700), 0);
  const char* const details[] = {"stat refused the path", "the file may not be executed"};
  for (const int error_number : {EACCES, EIO, ELOOP}) {
    for (std::uint64_t nth = 1; nth <= 2; ++nth) {
      const fault_scope fault({.kind = call::open, .nth = nth, .error_number = error_number});
      EXPECT_EQ(verdict(file_), refusal(details[nth - 1], error_number));
      EXPECT_EQ(fault.seen(), nth);
    }
  }
}

TEST_F(Path, P1_TheEffectiveUserIsAskedAbout) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be two users";
  ASSERT_EQ(::chmod(directory_, 0755), 0);
  ASSERT_EQ(::chmod(file_.c_str(), 0700), 0);
  constexpr uid_t another = 4242;
  constexpr int cannot = 90;
  const int status = test::in_child([&] {
    if (::setresuid(0, another, another) != 0) return cannot;
    return verdict(file_) == refusal("the file may not be executed", EACCES) ? 0 : 1;
  });
  if (status == cannot) GTEST_SKIP() << "this root cannot";
  EXPECT_EQ(status, 0) << "execve would fail as well";
}

TEST_F(Path, P2_TheWorkingDirectoryNeedsSpaceForItsNul) {
  char expected[4096];
  ASSERT_NE(::getcwd(expected, sizeof expected), nullptr);
  char space[4096];
  ASSERT_TRUE(working_directory(space));
  EXPECT_STREQ(space, expected);
  const std::size_t length = std::string(expected).size();
  EXPECT_TRUE(working_directory(std::span(space, length + 1)));
  EXPECT_EQ(working_directory(std::span(space, length)).error().message(),
            "os.working_directory: system error: getcwd refused [errno 34]");
}

TEST_F(Path, P2_ARemovedWorkingDirectoryIsAnError) {
  char* const place = directory_;
  EXPECT_EQ(test::in_child([place] {
              const std::string below = std::string(place) + "/below";
              if (::mkdir(below.c_str(), 0700) != 0 || ::chdir(below.c_str()) != 0) return 1;
              if (::rmdir(below.c_str()) != 0) return 2;
              char space[4096];
              const auto gone = working_directory(space);
              return !gone && gone.error().error_number() == ENOENT ? 0 : 3;
            }),
            0);
  const fault_scope fault({.kind = call::open, .nth = 1, .error_number = EACCES});
  char space[4096];
  EXPECT_EQ(working_directory(space).error().error_number(), EACCES);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
