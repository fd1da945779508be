// SPDX-License-Identifier: Apache-2.0
//
// The functions of memory.hpp that map files, such as a process's registry.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "bast/os/fault_injection.hpp"
#include "bast/os/local_socket.hpp"
#include "bast/os/memory.hpp"
#include "bast/os/pipe.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/expect_mappings.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using test::mappings;

constexpr std::string_view name = "bast-test";
descriptor empty_file() { return descriptor(::memfd_create(name.data(), 0)); }

std::size_t length_of(int fd) {
  struct stat file{};
  EXPECT_EQ(::fstat(fd, &file), 0);
  return static_cast<std::size_t>(file.st_size);
}

result<std::byte*> map_it(int fd, std::uint64_t offset, std::size_t size) {
  return map_memory_file(fd, name, offset, size);
}

TEST(MappedFile, IsZeroWritableAndShared) {
  const descriptor file = empty_file();
  const std::size_t size = 3 * page_bytes();
  const mappings before = mappings::now();
  std::byte* const base = map_it(file.get(), 0, size).value();
  test::expect_grown_by(before, size);
  EXPECT_EQ(::fcntl(file.get(), F_GETFD), 0) << "it is inherited over exec";
  EXPECT_EQ(length_of(file.get()), size);
  for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(base[i], std::byte{0});
  base[size - 1] = std::byte{'w'};
  char seen = 0;
  EXPECT_EQ(::pread(file.get(), &seen, 1, static_cast<off_t>(size - 1)), 1);
  EXPECT_EQ(seen, 'w') << "shared with the file";
  release(base, size);
  test::expect_grown_by(before, 0);
}

TEST(MappedFile, AnyPartOfItCanBeMapped) {
  const descriptor file = empty_file();
  const std::size_t page = page_bytes();
  std::byte* const third = map_it(file.get(), 2 * page, page).value();
  EXPECT_EQ(length_of(file.get()), 3 * page);
  third[0] = std::byte{'3'};
  std::byte* const first = map_it(file.get(), 0, page).value();
  EXPECT_EQ(first[0], std::byte{0});
  first[0] = std::byte{'1'};
  std::byte* const both = map_it(file.get(), 0, 3 * page).value();
  EXPECT_EQ(both[0], std::byte{'1'});
  EXPECT_EQ(both[2 * page], std::byte{'3'});
  for (std::byte* const each : {third, first}) release(each, page);
  release(both, 3 * page);
}

TEST(MappedFile, WhatOthersWroteStaysAndAFileIsNeverMadeShorter) {
  const descriptor file = empty_file();
  const std::size_t size = page_bytes();
  for (const std::size_t length : {size - 1, size, size + 1, 5 * size}) {
    ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(length)), 0);
    ASSERT_EQ(::pwrite(file.get(), "theirs", 6, 0), 6);
    const std::size_t last = std::min(length, size) - 1;
    ASSERT_EQ(::pwrite(file.get(), "!", 1, static_cast<off_t>(last)), 1);
    std::byte* const base = map_it(file.get(), 0, size).value();
    EXPECT_EQ(std::memcmp(base, "theirs", 6), 0);
    EXPECT_EQ(base[last], std::byte{'!'}) << length;
    EXPECT_EQ(length_of(file.get()), std::max(length, size));
    release(base, size);
  }
}

TEST(MappedFile, OnlyTheMemoryFileOfThatNameIsOne) {
  const descriptor other(::memfd_create("bast-tes", 0));
  const descriptor longer(::memfd_create("bast-test2", 0));
  char path[] = "/tmp/bast-os-XXXXXX";
  const descriptor on_disk(::mkstemp(path));
  ASSERT_EQ(::unlink(path), 0);
  const pipe_ends ends = make_pipe().value();
  for (const int fd :
       {other.get(), longer.get(), on_disk.get(), ends.write_end.get(), -1, 1'000'000}) {
    EXPECT_EQ(map_it(fd, 0, page_bytes()).error().message(),
              "os.map_memory_file: invalid argument: not the memory file that was named (" +
                  std::to_string(fd) + ")");
  }
  EXPECT_EQ(length_of(other.get()) + length_of(longer.get()) + length_of(on_disk.get()), 0U);
}

TEST(MappedFile, AFileThatMayNotBeWrittenIsRefused) {
  const descriptor file = empty_file();
  const std::string link = "/proc/self/fd/" + std::to_string(file.get());
  const descriptor reader = open_file(link.c_str(), O_RDONLY).value();
  EXPECT_EQ(map_it(reader.get(), 0, page_bytes()).error().message(),
            "os.map_memory_file: system error: the file cannot be made this many bytes long (" +
                std::to_string(page_bytes()) + ") [errno 9]");
  EXPECT_EQ(length_of(file.get()), 0U);
}

TEST(MappedFile, ARefusedMapNamesTheBytesAndMapsNothing) {
  const descriptor file = empty_file();
  const mappings before = mappings::now();
  for (const int error_number : {ENOMEM, EPERM, EAGAIN}) {
    const fault_scope fault({.kind = call::map, .nth = 1, .error_number = error_number});
    const auto refused = map_it(file.get(), 0, page_bytes());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_number(), error_number);
    EXPECT_STREQ(refused.error().operation(), "os.map_memory_file");
    EXPECT_STREQ(refused.error().detail(), "mmap refused this many bytes");
  }
  EXPECT_EQ(mappings::now(), before);
  const auto later = map_it(file.get(), 0, page_bytes());
  ASSERT_TRUE(later) << "the length is sufficient already";
  release(*later, page_bytes());
}

bool limit_file_size(rlim_t most) {
  const rlimit limit{.rlim_cur = most, .rlim_max = most};
  return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

TEST(MappedFile, RlimitFsizeIsAskedBeforeItsSignal) {
  if (test::emulated) GTEST_SKIP() << "qemu-user does not apply such limits";
  const auto mapped_within = [](std::size_t most) {
    return test::in_child([=] {
      const descriptor file = empty_file();
      if (!limit_file_size(most)) return 90;
      const auto mapped = map_it(file.get(), 0, page_bytes());
      if (mapped) return 1;
      if (mapped.error() != errc::limit || mapped.error().error_number() != 0) return 91;
      return length_of(file.get()) == 0 ? 2 : 92;
    });
  };
  EXPECT_EQ(mapped_within(page_bytes()), 1) << "exactly as many bytes as allowed";
  EXPECT_EQ(mapped_within(page_bytes() - 1), 2);
  EXPECT_EQ(mapped_within(0), 2);
}

TEST(MappedFile, APrivateCopyTakesItsPlaceAndLeavesTheFileAlone) {
  const descriptor file = empty_file();
  const std::size_t size = 2 * page_bytes();
  std::byte* const base = map_it(file.get(), 0, size).value();
  base[0] = std::byte{'a'};
  base[size - 1] = std::byte{'z'};
  const mappings before = mappings::now();
  map_copy_over(base, size, file.get(), 0);
  EXPECT_EQ(mappings::now().byte_count, before.byte_count) << "in its place, not beside it";
  EXPECT_EQ(base[0], std::byte{'a'});
  EXPECT_EQ(base[size - 1], std::byte{'z'});
  base[0] = std::byte{'b'};
  base[size - 1] = std::byte{'y'};
  char seen[2] = {};
  EXPECT_EQ(::pread(file.get(), &seen[0], 1, 0), 1);
  EXPECT_EQ(::pread(file.get(), &seen[1], 1, static_cast<off_t>(size - 1)), 1);
  EXPECT_EQ(seen[0], 'a');
  EXPECT_EQ(seen[1], 'z');
  release(base, size);
}

TEST(MappedFile, APrivateCopyOfALaterPart) {
  const descriptor file = empty_file();
  const std::size_t page = page_bytes();
  std::byte* const base = map_it(file.get(), 3 * page, page).value();
  base[5] = std::byte{'5'};
  map_copy_over(base, page, file.get(), 3 * page);
  EXPECT_EQ(base[5], std::byte{'5'});
  base[5] = std::byte{'6'};
  char seen = 0;
  EXPECT_EQ(::pread(file.get(), &seen, 1, static_cast<off_t>(3 * page + 5)), 1);
  EXPECT_EQ(seen, '5');
  release(base, page);
}

TEST(MappedFile, AMappingIsMovedOverAnother) {
  const descriptor file = empty_file();
  const std::size_t size = 2 * page_bytes();
  const mappings before = mappings::now();
  std::byte* const base = map_it(file.get(), 0, size).value();
  std::byte* const other = map_it(file.get(), size, size).value();
  base[0] = std::byte{'a'};
  other[size - 1] = std::byte{'z'};
  move_over(base, other, size);
  test::expect_grown_by(before, size);
  EXPECT_EQ(base[0], std::byte{0});
  EXPECT_EQ(base[size - 1], std::byte{'z'});
  base[0] = std::byte{'b'};
  char seen[2] = {};
  EXPECT_EQ(::pread(file.get(), &seen[0], 1, 0), 1);
  EXPECT_EQ(::pread(file.get(), &seen[1], 1, static_cast<off_t>(size)), 1);
  EXPECT_EQ(seen[0], 'a') << "its old address";
  EXPECT_EQ(seen[1], 'b') << "its new address";
  release(base, size);
}

TEST(MappedFileDeathTest, AMoveThatIsRefusedEndsTheProcess) {
  std::byte* const base = map(page_bytes()).value();
  EXPECT_DEATH(move_over(base, nullptr, page_bytes()), "a forked child gets a registry of its own");
  release(base, page_bytes());
}

TEST(MappedFileDeathTest, ACopyThatIsRefusedEndsTheProcess) {
  std::byte* const base = map(page_bytes()).value();
  EXPECT_DEATH(map_copy_over(base, page_bytes(), -1, 0),
               "a forked child gets a registry of its own");
  release(base, page_bytes());
}

/// The line of /proc/self/maps for the page at `base`, or an empty text.
std::string line_of(const std::string& maps, const std::byte* base) {
  text start;
  start.hex(reinterpret_cast<std::uintptr_t>(base));
  const std::string digits(start.view().substr(2));
  for (std::size_t at = 0; at < maps.size();) {
    const std::size_t end = std::min(maps.find('\n', at), maps.size());
    const std::string line = maps.substr(at, end - at);
    if (line.find(digits + '-') != std::string::npos) return line;
    at = end + 1;
  }
  return "";
}

std::string read_all(int fd) {
  std::string all(length_of(fd), '?');
  EXPECT_EQ(::pread(fd, all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
  return all;
}

TEST(MappingsCopy, HoldsEveryLineAtTheOffset) {
  // Enough mappings for several reads: neighbours of different access are separate lines.
  constexpr std::size_t pages = 400;
  std::byte* const base = map(pages * page_bytes()).value();
  for (std::size_t i = 1; i < pages; i += 2) {
    ASSERT_TRUE(protect(base + i * page_bytes(), page_bytes(), access::none));
  }
  const descriptor file = empty_file();
  constexpr std::uint64_t offset = 4321;
  copy_mappings_to(file.get(), offset);
  const std::string all = read_all(file.get());
  ASSERT_GT(all.size(), offset);
  EXPECT_EQ(all.substr(0, offset), std::string(offset, '\0'));
  const std::string maps = all.substr(offset);
  for (std::size_t i = 0; i < pages; ++i) {
    const std::string line = line_of(maps, base + i * page_bytes());
    EXPECT_NE(line.find(i % 2 == 0 ? " rw-p " : " ---p "), std::string::npos) << i << line;
  }
  EXPECT_TRUE(maps.ends_with('\n'));
  release(base, pages * page_bytes());
}

TEST(MappingsCopy, IsBestEffort) {
  const descriptor file = empty_file();
  for (const call kind : {call::open, call::read, call::write}) {
    const fault_scope fault({.kind = kind, .nth = 1, .persistent = true, .error_number = EIO});
    copy_mappings_to(file.get(), 0);
    EXPECT_EQ(fault.injected(), 1U) << name_of(kind);
    EXPECT_EQ(length_of(file.get()), 0U);
  }
  copy_mappings_to(-1, 0);
}

TEST(MappingsCopy, RlimitFsizeIsAskedBeforeItsSignal) {
  if (test::emulated) GTEST_SKIP() << "qemu-user does not apply such limits";
  constexpr rlim_t most = 1 << 20;  // the maximum that it appends
  const auto copied_within = [](rlim_t limit, std::uint64_t offset) {
    return test::in_child([=] {
      const descriptor file = empty_file();
      if (!limit_file_size(limit)) return 90;
      copy_mappings_to(file.get(), offset);
      return length_of(file.get()) > offset ? 1 : 2;
    });
  };
  EXPECT_EQ(copied_within(most + 100, 100), 1);
  EXPECT_EQ(copied_within(most + 99, 100), 2);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
