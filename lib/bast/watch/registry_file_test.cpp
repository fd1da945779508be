// SPDX-License-Identifier: Apache-2.0
//
// The registry in a tool's file (BAST_WATCH=fd:N), and where it cannot be created.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <numeric>
#include <set>
#include <string>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/fresh_process.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/watch/registry.hpp"

namespace bast::watch {
namespace {

/// A descriptor like that of `bast-stacks run`.
struct tools_file {
  int fd = ::memfd_create(shared_name, 0);
  ~tools_file() { ::close(fd); }
  std::string variable() const { return "fd:" + std::to_string(fd) + ",unknown"; }
};

/// Whether this program has this test. A filter that matches none passes.
bool is_test(const std::string& name) {
  const auto& all = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const auto& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j)
      if (name == std::string(suite.name()) + "." + suite.GetTestInfo(j)->name()) return true;
  }
  return false;
}

/// Runs this program's test `name` as a new process under BAST_WATCH and returns its exit status.
/// `modes` is the expected value for Registry.ItsModesAreThoseOfTheVariable.
int run_test(const char* name, const std::string& watch, const char* modes = "0") {
  EXPECT_TRUE(is_test(name)) << name;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("BAST_WATCH", watch.c_str(), 1);
    ::setenv("BAST_TEST_MODES", modes, 1);
    const std::string filter = std::string("--gtest_filter=") + name;
    ::execl("/proc/self/exe", "bast_watch_test", filter.c_str(), "--gtest_brief=1", nullptr);
    ::_exit(127);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The header at this place in the file.
header header_of(const tools_file& file, unsigned place = 0) {
  header head{};
  EXPECT_EQ(::pread(file.fd, &head, sizeof head, static_cast<off_t>(place * shared_stride)),
            static_cast<ssize_t>(sizeof head));
  return head;
}

/// The first site at this place.
site_entry site_of(const tools_file& file, unsigned place = 0) {
  site_entry entry{};
  const std::uint64_t at = place * shared_stride + header_of(file, place).sites.offset;
  EXPECT_EQ(::pread(file.fd, &entry, sizeof entry, static_cast<off_t>(at)),
            static_cast<ssize_t>(sizeof entry));
  return entry;
}

/// Whether this place is free.
bool is_free(const tools_file& file, unsigned place) {
  header head{};
  return ::pread(file.fd, &head, sizeof head, static_cast<off_t>(place * shared_stride)) <= 0 ||
         head.pid == 0;
}

class RegistryFile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BAST_EMULATED || BAST_WITH_VALGRIND) GTEST_SKIP() << "here a program cannot execute itself";
  }
};

TEST_F(RegistryFile, WithTheToolsFileItOutlivesTheProcess) {
  const tools_file file;
  ASSERT_EQ(run_test("SiteEntry.InAToolsFileItIsTheFirst", file.variable()), 0);
  header head{};
  ASSERT_EQ(::pread(file.fd, &head, sizeof head, 0), static_cast<ssize_t>(sizeof head));
  EXPECT_EQ(head.magic, magic);
  EXPECT_NE(head.pid, 0U);
  EXPECT_EQ(head.modes, mode_shared);
  site_entry entry{};
  ASSERT_EQ(::pread(file.fd, &entry, sizeof entry, static_cast<off_t>(head.sites.offset)),
            static_cast<ssize_t>(sizeof entry));
  EXPECT_STREQ(entry.where, "folded.cpp");
  EXPECT_EQ(entry.uses, 3U);
}

TEST_F(RegistryFile, TheMappingsOfTheProcessFollowIt) {
  const tools_file file;
  ASSERT_EQ(run_test("SiteEntry.InAToolsFileItIsTheFirst", file.variable()), 0);
  std::string maps(1 << 20, '\0');
  const auto after = static_cast<off_t>(header_of(file).bytes);
  const ssize_t size = ::pread(file.fd, maps.data(), maps.size(), after);
  ASSERT_GT(size, 0);
  maps.resize(static_cast<std::size_t>(size));
  char program[4096] = {};
  ASSERT_GT(::readlink("/proc/self/exe", program, sizeof program - 1), 0);
  const std::size_t path = maps.find(program);
  ASSERT_NE(path, std::string::npos);
  const std::size_t line = path == 0 ? 0 : maps.rfind('\n', path) + 1;
  EXPECT_TRUE(line == 0 || maps[line - 1] == '\n');
  // A sanitizer maps its shadow below the program.
  EXPECT_TRUE(line == 0 || BAST_WITH_TSAN || BAST_WITH_ASAN)
      << "the program's own file is the first mapping";
  EXPECT_EQ(maps.find_first_not_of("0123456789abcdef"), maps.find('-')) << "the first line";
  EXPECT_NE(maps.find(" r-xp "), std::string::npos);
  EXPECT_EQ(maps.back(), '\n') << "the last line is complete";
}

TEST_F(RegistryFile, R5_AForkedChildHasAPlaceOfItsOwnInIt) {
  const tools_file file;
  EXPECT_EQ(run_test("Registry.R5_AForkedChildWritesItsOwn", file.variable()), 0);
  const std::uint64_t uses[] = {0, 7, 1};  // of the program, its child and grandchild
  std::set<std::uint64_t> processes;
  for (unsigned place = 0; place < 3; ++place) {
    const header head = header_of(file, place);
    EXPECT_EQ(head.magic, magic);
    EXPECT_EQ(head.modes, mode_shared);
    EXPECT_EQ(head.self, header_of(file).self) << "at the same address";
    processes.insert(head.pid);
    const site_entry entry = site_of(file, place);
    EXPECT_STREQ(entry.where, "forked");
    EXPECT_EQ(entry.uses, uses[place]) << place;
    EXPECT_EQ(entry.samples, place < 2 ? 1U : 0U);
    EXPECT_EQ(entry.max, place == 0 ? 640U : place == 1 ? 64U : 0U);
    EXPECT_EQ(entry.grows, place == 0 ? 1U : 0U);
    EXPECT_EQ(std::accumulate(entry.histogram, entry.histogram + bucket_count, std::uint64_t{0}),
              entry.samples)
        << "its own samples";
    char first = 0;
    const auto maps = static_cast<off_t>(place * shared_stride + head.bytes);
    EXPECT_EQ(::pread(file.fd, &first, 1, maps), 1);
    EXPECT_NE(first, 0) << "its mappings follow";
  }
  EXPECT_EQ(processes.size(), 3U);
  EXPECT_TRUE(is_free(file, 3));
}

TEST_F(RegistryFile, R5_TheTablesOfAForkedChildAreACopy) {
  const tools_file file;
  EXPECT_EQ(run_test("Registry.R5_AForkedChildHasThePoolsAndSlabsOfItsParent", file.variable()), 0);
  const header child = header_of(file, 1);
  EXPECT_EQ(child.magic, magic);
  EXPECT_EQ(child.slabs.used, 2U);
  slab_entry slabs[2] = {};
  EXPECT_EQ(
      ::pread(file.fd, slabs, sizeof slabs, static_cast<off_t>(shared_stride + child.slabs.offset)),
      static_cast<ssize_t>(sizeof slabs));
  for (const slab_entry& slab : slabs) {
    EXPECT_EQ(slab.state, static_cast<std::uint32_t>(entry_state::open)) << "as at the fork";
    EXPECT_EQ(slab.stride, 4096U);
  }
  EXPECT_EQ(slabs[0].opened, 0U);
  EXPECT_EQ(slabs[1].opened, 7U);
}

TEST_F(RegistryFile, R5_AChildsClosedSitesAreItsOwn) {
  const tools_file file;
  EXPECT_EQ(
      run_test("Registry.R5_WhatWasClosedBeforeAForkIsAddedUpInTheChildAnew", file.variable()), 0);
  EXPECT_EQ(site_of(file, 0).uses, 5U);
  EXPECT_EQ(site_of(file, 1).uses, 7U);
}

TEST_F(RegistryFile, TheNextProcessHasTheNextPlace) {
  const tools_file file;
  ASSERT_EQ(run_test("SiteEntry.InAToolsFileItIsTheFirst", file.variable()), 0);
  const header first = header_of(file);
  EXPECT_EQ(run_test("Registry.ItsModesAreThoseOfTheVariable", file.variable(), "2"), 0);
  const header again = header_of(file);
  EXPECT_EQ(std::memcmp(&first, &again, sizeof first), 0);
  const header second = header_of(file, 1);
  EXPECT_EQ(second.magic, magic);
  EXPECT_NE(second.pid, first.pid);
  EXPECT_TRUE(is_free(file, 2));
}

TEST_F(RegistryFile, OfTwoThatComeAtOnceTheSecondHasTheNextPlace) {
  const tools_file file;
  ASSERT_TRUE(open_registry());
  // As left by a process that was just faster.
  ASSERT_EQ(::ftruncate(file.fd, static_cast<off_t>(registry()->bytes)), 0);
  header taken{};
  taken.pid = 1;
  ASSERT_EQ(::pwrite(file.fd, &taken, sizeof taken, 0), static_cast<ssize_t>(sizeof taken));
  EXPECT_EQ(run_test("Registry.ItsModesAreThoseOfTheVariable", file.variable(), "2"), 0);
  const header after = header_of(file);
  EXPECT_EQ(std::memcmp(&after, &taken, sizeof taken), 0);
  EXPECT_EQ(header_of(file, 1).magic, magic);
}

TEST_F(RegistryFile, EveryWordOfTheVariableIsRead) {
  const auto modes = [](const std::string& watch, std::uint32_t expected) {
    const std::string digit(1, static_cast<char>('0' + expected));
    EXPECT_EQ(run_test("Registry.ItsModesAreThoseOfTheVariable", watch, digit.c_str()), 0) << watch;
  };
  for (const char* const watch : {"deepest", "deepest,", ",deepest", "x,deepest", "fd:,deepest"}) {
    modes(watch, mode_deepest);
  }
  for (const char* const watch : {"deepest1", "deep", "deepest;x"}) modes(watch, 0);
  const auto with_file = [&](const std::string& first, const std::string& last,
                             std::uint32_t expected) {
    const tools_file file;
    modes(first + "fd:" + std::to_string(file.fd) + last, expected);
    EXPECT_EQ(header_of(file).modes, expected);
  };
  with_file("deepest,", "", mode_deepest | mode_shared);
  with_file("", ",deepest", mode_deepest | mode_shared);
  with_file("x,", ",y", mode_shared);
}

TEST_F(RegistryFile, WhatIsNoFileOfTheToolIsLeftAlone) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const tools_file file;
  const os::descriptor other(::memfd_create("somebody's", 0));
  for (const std::string& watch :
       {"fd:" + std::to_string(ends[1]), "fd:" + std::to_string(other.get()), std::string("fd:-1"),
        std::string("fd:99999999999"), std::string("fd:"), "fd:" + std::to_string(file.fd) + "x",
        std::string(",,,")}) {
    EXPECT_EQ(run_test("Registry.ItsModesAreThoseOfTheVariable", watch), 0) << watch;
    EXPECT_EQ(run_test("Registry.TheHeaderDescribesTheProcess", watch), 0) << watch;
  }
  header head{};
  for (const int fd : {file.fd, other.get()})
    EXPECT_EQ(::pread(fd, &head, sizeof head, 0), 0) << "still empty";
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(RegistryFile, AnEmptyFileAtDescriptorZeroIsTheToolsToo) {
  const tools_file file;
  EXPECT_EQ(test::in_child([&] {
              if (::dup2(file.fd, 0) != 0) return 1;
              return run_test("Registry.ItsModesAreThoseOfTheVariable", "fd:0", "2");
            }),
            0);
  const header head = header_of(file);
  EXPECT_EQ(head.modes, mode_shared);
  char first = 0;
  EXPECT_EQ(::pread(file.fd, &first, 1, static_cast<off_t>(head.bytes)), 1) << "its mappings";
}

TEST(RegistryMapping, AFileSizeLimitIsRespected) {
  const tools_file file;
  EXPECT_EQ(test::in_child([&] {
              rlimit before{};
              if (::getrlimit(RLIMIT_FSIZE, &before) != 0) return 1;
              const rlimit little{4096, before.rlim_max};
              if (::setrlimit(RLIMIT_FSIZE, &little) != 0) return 1;
              const auto mapped = os::map_memory_file(file.fd, shared_name, 0, 1 << 20);
              // A build that counts coverage writes files at its end.
              if (::setrlimit(RLIMIT_FSIZE, &before) != 0) return 1;
              return !mapped && mapped.error().kind() == errc::limit ? 0 : 2;
            }),
            0);
}

TEST(RegistryMapping, X6_WithoutMemoryThereIsAnErrorAndThenARegistry) {
  test::expect_in_fresh_process([] {
    const auto refused = [](os::fault_plan plan, errc kind) {
      const os::fault_scope fault(plan);
      const auto opened = open_registry();
      return !opened && opened.error().kind() == kind && registry() == nullptr &&
             fault.injected() > 0;
    };
    const test::leak_baseline before;
    if (!refused({.kind = os::call::map, .nth = 1, .persistent = true}, errc::no_memory)) return 1;
    if (!refused({.kind = os::call::protect, .nth = 1}, errc::no_memory)) return 2;
    if (!before.differences().empty()) return 3;
    if (!open_registry()) return 4;
    return registry()->sites.capacity == 16384 && registry()->modes == 0 ? 0 : 5;
  });
}

/// Takes sites while the kernel opens no memory: a shared registry is open from the start.
TEST(RegistryMapping, X6_NoSiteOfASharedOneIsOpenedByACall) {
  ASSERT_TRUE(open_registry());
  const header& head = *registry();
  if ((head.modes & mode_shared) == 0) return;  // The test below runs this one with a file.
  const std::uint32_t before = head.sites.used;
  const os::fault_scope calls({.kind = os::call::protect, .nth = 1, .persistent = true});
  for (std::uint32_t i = 0; i < 40; ++i) {
    const site_entry* const entry = take_site({site_kind::label, "each", 0, 0}, nullptr, i);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->index, i);
  }
  EXPECT_EQ(head.sites.used, before + 40);
  EXPECT_EQ(head.sites.lost, 0U);
  EXPECT_EQ(calls.seen(), 0U);
}

TEST_F(RegistryFile, X6_NoSiteInItIsOpenedByACall) {
  const tools_file file;
  ASSERT_EQ(run_test("RegistryMapping.X6_NoSiteOfASharedOneIsOpenedByACall", file.variable()), 0);
  EXPECT_EQ(header_of(file).modes, mode_shared);
  EXPECT_EQ(header_of(file).sites.used, 40U);
}

TEST(RegistryMapping, X6_WhereAddressSpaceIsLimitedItHasFewerSites) {
  test::expect_in_fresh_process([] {
    const os::fault_scope fault({.kind = os::call::map, .nth = 1, .also_nth = 2});
    if (!open_registry()) return 1;
    const header& head = *registry();
    if (head.sites.capacity != 4096) return 2;
    const std::size_t end = head.sites.offset + std::size_t{4096} * 4096;
    if (head.bytes != internal::round_up(end, os::page_bytes())) return 3;
    // The last of them can be used, and there is none behind it.
    std::uint32_t taken = 0;
    while (head.sites.lost == 0) {
      if (take_site({site_kind::label, "few", 0, 0}, nullptr, 1) == nullptr) return 4;
      ++taken;
    }
    return taken == 4097 && head.sites.used == 4096 ? 0 : 5;
  });
}

}  // namespace
}  // namespace bast::watch
