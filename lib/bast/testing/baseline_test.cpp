// SPDX-License-Identifier: Apache-2.0
//
// The two tools that other tests rely on: the counts of the process, and the loop that fails each
// call.
#include "bast/testing/baseline.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "bast/os/fault_injection.hpp"
#include "bast/os/pipe.hpp"
#include "bast/stack/directory.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/mappings.hpp"

namespace bast::test {
namespace {

constexpr std::size_t one_mebibyte = std::size_t{1} << 20;

/// A mapping made without the library. Not writable, so that it joins no neighbour.
class foreign_mapping {
 public:
  explicit foreign_mapping(std::size_t size)
      : size_(size), base_(::mmap(nullptr, size, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    EXPECT_NE(base_, MAP_FAILED);
  }
  ~foreign_mapping() { ::munmap(base_, size_); }
  foreign_mapping(const foreign_mapping&) = delete;
  foreign_mapping& operator=(const foreign_mapping&) = delete;

 private:
  std::size_t size_;
  void* base_;
};

TEST(ProcessCounts, SeeEachDescriptorOnce) {
  const process_counts before = process_counts::now();
  EXPECT_EQ(process_counts::now(), before) << "counting changes nothing";
  std::vector<os::descriptor> files;
  // More entries than one read of the directory returns.
  for (std::size_t i = 1; i <= 300; ++i) {
    files.push_back(os::open_file("/dev/null", O_RDONLY).value());
    if (i <= 3 || i == 300) {
      EXPECT_EQ(process_counts::now().fds, before.fds + i);
    }
  }
  files.clear();
  EXPECT_EQ(process_counts::now().fds, before.fds);
  // At least 0, 1, 2 and the descriptor that counts.
  EXPECT_GE(before.fds, 4U);
}

TEST(ProcessCounts, SeeEachThreadOnce) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "it has a thread of its own, and none after a fork";
  // In a process of its own: a thread of another test may be exiting.
  EXPECT_EQ(in_child([] {
              if (process_counts::now().threads != 1) return 1;
              std::atomic<bool> end{false};
              std::atomic<int> running{0};
              const auto wait = [&] {
                ++running;
                while (!end.load()) ::sched_yield();
              };
              std::thread first(wait);
              std::thread second(wait);
              while (running.load() < 2) ::sched_yield();
              const bool three = process_counts::now().threads == 3;
              end.store(true);
              first.join();
              second.join();
              return three ? 0 : 2;
            }),
            0);
}

TEST(LeakBaseline, TellsOfAThreadThatRunsOn) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "it has a thread of its own, and none after a fork";
  EXPECT_EQ(in_child([] {
              const leak_baseline before;
              std::thread([] { ::pause(); }).detach();
              const std::string told = before.differences();
              return told.find("threads: 1 before, 2 now\n") != std::string::npos ? 0 : 1;
            }),
            0);
}

TEST(ProcessCounts, SeeMappingsAndTheirBytes) {
  if (!mappings::counted) GTEST_SKIP() << "the sanitizer's own mappings come and go";
  const process_counts before = process_counts::now();
  EXPECT_GT(before.mappings, 3U);
  {
    const foreign_mapping one(one_mebibyte);
    const process_counts now = process_counts::now();
    EXPECT_EQ(now.mappings, before.mappings + 1);
    EXPECT_EQ(now.mapped_bytes, before.mapped_bytes + one_mebibyte);
  }
  EXPECT_EQ(process_counts::now(), before);
  // The heap of brk(2) grows independently.
  ASSERT_NE(::sbrk(static_cast<std::intptr_t>(one_mebibyte)), reinterpret_cast<void*>(-1));
  EXPECT_EQ(process_counts::now().mapped_bytes, before.mapped_bytes);
  ASSERT_NE(::sbrk(-static_cast<std::intptr_t>(one_mebibyte)), reinterpret_cast<void*>(-1));
}

TEST(LeakBaseline, TellsOfADescriptor) {
  const leak_baseline before;
  EXPECT_EQ(before.differences(), "");
  const std::size_t fds = process_counts::now().fds;
  {
    const os::descriptor leaked = os::open_file("/dev/null", O_RDONLY).value();
    EXPECT_EQ(before.differences(), "descriptors: " + std::to_string(fds) + " before, " +
                                        std::to_string(fds + 1) + " now\n");
  }
  EXPECT_EQ(before.differences(), "");
}

TEST(LeakBaseline, TellsOfAMappingAndItsBytes) {
  if (!mappings::counted) GTEST_SKIP() << "the sanitizer's own mappings come and go";
  const leak_baseline before;
  const std::size_t count = process_counts::now().mappings;
  const foreign_mapping leaked(one_mebibyte);
  EXPECT_EQ(before.differences(), "mappings: " + std::to_string(count) + " before, " +
                                      std::to_string(count + 1) +
                                      " now\nmapped bytes: 1048576 more than before\n");
}

TEST(LeakBaseline, TellsOfFewerToo) {
  os::descriptor file = os::open_file("/dev/null", O_RDONLY).value();
  const std::size_t fds = process_counts::now().fds;
  std::string told;
  {
    const leak_baseline before;
    file.reset();
    told = before.differences();
  }
  EXPECT_EQ(told, "descriptors: " + std::to_string(fds) + " before, " + std::to_string(fds - 1) +
                      " now\n");
}

TEST(LeakBaseline, AThreadThatIsJoinedIsNone) {
  std::thread([] {}).join();  // The C library keeps one stack and one arena for the next thread.
  const leak_baseline before;
  for (int round = 0; round < 20; ++round) std::thread([] {}).join();
  EXPECT_EQ(before.differences(), "");
}

TEST(LeakBaseline, UnmappingsThatWereRefusedAreTriedAgainFirst) {
  const leak_baseline before;
  std::byte* const page = os::map(os::page_bytes()).value();
  {
    const os::fault_scope fault({.kind = os::call::unmap, .nth = 1, .persistent = true});
    os::release(page, os::page_bytes());
    const std::string told = before.differences();
    EXPECT_EQ(told.substr(0, told.find('\n')), "unmappings pending: 0 before, 1 now");
  }
  EXPECT_EQ(before.differences(), "");
  EXPECT_EQ(os::retry_pending_releases(), 0U);
}

TEST(LeakBaseline, UnmappingsThatWereRefusedBeforeAreNotMissed) {
  std::byte* const page = os::map(os::page_bytes()).value();
  {
    const os::fault_scope fault({.kind = os::call::unmap, .nth = 1, .persistent = true});
    os::release(page, os::page_bytes());
  }
  const leak_baseline before;
  EXPECT_EQ(os::retry_pending_releases(), 0U);
  EXPECT_EQ(before.differences(), "");
}

TEST(WarmDirectory, MakesWhatLaterSlabsNeedAndLeavesNothingElse) {
  warm_directory();
  const leak_baseline before;
  warm_directory();
  EXPECT_EQ(before.differences(), "") << "a second time makes nothing";
  // A leaf covers 16 GiB: entering needs no memory here, nor at that distance on both sides.
  std::byte* const page = os::map(os::page_bytes()).value();
  const auto here = reinterpret_cast<std::uintptr_t>(page);
  const os::fault_scope calls({.kind = os::call::map});
  for (const std::ptrdiff_t gibibytes : {-16, 0, 16}) {
    const std::byte* const at = page - here % directory_granule + (gibibytes << 30);
    ASSERT_EQ(directory_find(reinterpret_cast<std::uintptr_t>(at)), nullptr) << "removed again";
    ASSERT_TRUE(directory_enter(at, directory_granule, nullptr));
    directory_remove(at, directory_granule);
  }
  EXPECT_EQ(calls.seen(), 0U);
  os::release(page, os::page_bytes());
}

}  // namespace
}  // namespace bast::test
