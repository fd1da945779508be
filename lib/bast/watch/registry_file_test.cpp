// SPDX-License-Identifier: Apache-2.0
//
// The registry in a file of the tool's (BAST_WATCH=fd:N), and where it cannot be made.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "bast/os.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/watch/registry.hpp"

namespace bast::watch {
namespace {

/// A descriptor as `bast-stacks run` makes one.
struct tools_file {
  int fd = ::memfd_create("registry", 0);
  ~tools_file() { ::close(fd); }
  std::string variable() const { return "fd:" + std::to_string(fd) + ",unknown"; }
};

/// Whether this program has such a test. A filter that meets none passes.
bool is_test(const std::string& name) {
  const auto& all = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const auto& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j)
      if (name == std::string(suite.name()) + "." + suite.GetTestInfo(j)->name()) return true;
  }
  return false;
}

/// Runs this program's test `name` as a new process under BAST_WATCH; its exit status.
int run_test(const char* name, const std::string& watch) {
  EXPECT_TRUE(is_test(name)) << name;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("BAST_WATCH", watch.c_str(), 1);
    const std::string filter = std::string("--gtest_filter=") + name;
    ::execl("/proc/self/exe", "bast_watch_test", filter.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class RegistryFile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BAST_EMULATED || BAST_WITH_VALGRIND) GTEST_SKIP() << "here a program cannot execute itself";
  }
};

TEST_F(RegistryFile, WithTheToolsFileItOutlivesTheProcess) {
  const tools_file file;
  ASSERT_EQ(run_test("Registry.R3_SitesOfPoolsThatAreGoneAreAddedUpByName", file.variable()), 0);
  header head{};
  ASSERT_EQ(::pread(file.fd, &head, sizeof head, 0), static_cast<ssize_t>(sizeof head));
  EXPECT_EQ(head.magic, magic);
  EXPECT_NE(head.pid, 0U);
  EXPECT_EQ(head.modes, mode_shared);
  site_entry entry{};
  ASSERT_EQ(::pread(file.fd, &entry, sizeof entry, static_cast<off_t>(head.sites.offset)),
            static_cast<ssize_t>(sizeof entry));
  EXPECT_STREQ(entry.where, "folded.cpp");
  EXPECT_EQ(entry.uses, 6U);
}

TEST_F(RegistryFile, R5_AForkedChildLeavesTheToolsFileAlone) {
  const tools_file file;
  EXPECT_EQ(run_test("Registry.R5_AForkedChildWritesItsOwn", file.variable()), 0);
}

TEST_F(RegistryFile, TheSecondProcessHasARegistryOfItsOwn) {
  const tools_file file;
  ASSERT_EQ(run_test("Registry.R3_SitesOfPoolsThatAreGoneAreAddedUpByName", file.variable()), 0);
  header first{};
  ASSERT_EQ(::pread(file.fd, &first, sizeof first, 0), static_cast<ssize_t>(sizeof first));
  EXPECT_EQ(run_test("Registry.TheHeaderDescribesTheProcess", file.variable()), 0);
  header second{};
  ASSERT_EQ(::pread(file.fd, &second, sizeof second, 0), static_cast<ssize_t>(sizeof second));
  EXPECT_EQ(second.pid, first.pid);
}

TEST_F(RegistryFile, WhatIsNoFileOfTheToolIsLeftAlone) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  for (const std::string& watch :
       {"fd:" + std::to_string(ends[1]), std::string("fd:-1"), std::string("fd:99999999999"),
        std::string("fd:"), std::string("fd:1x"), std::string(",,,")}) {
    EXPECT_EQ(run_test("Registry.TheHeaderDescribesTheProcess", watch), 0) << watch;
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(RegistryMapping, AFileSizeLimitIsRespected) {
  const tools_file file;
  EXPECT_EQ(test::in_child([&] {
              rlimit before{};
              if (::getrlimit(RLIMIT_FSIZE, &before) != 0) return 1;
              const rlimit little{4096, before.rlim_max};
              if (::setrlimit(RLIMIT_FSIZE, &little) != 0) return 1;
              const auto mapped = os::map_empty_file(file.fd, 1 << 20);
              // A build that counts coverage writes files when it ends.
              if (::setrlimit(RLIMIT_FSIZE, &before) != 0) return 1;
              return !mapped && mapped.error().kind() == errc::limit ? 0 : 2;
            }),
            0);
}

TEST(RegistryMapping, WithoutMemoryThereIsAnErrorAndThenARegistry) {
  EXPECT_EQ(test::in_child([] {
              if (registry() != nullptr) return 0;  // Made before the fork: nothing to fail.
              {
                const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
                const auto opened = open_registry();
                if (opened || opened.error().kind() != errc::no_memory) return 1;
              }
              {
                const os::fault_scope fault({.kind = os::call::protect, .nth = 1});
                if (open_registry()) return 2;
              }
              return open_registry() ? 0 : 3;
            }),
            0);
}

}  // namespace
}  // namespace bast::watch
