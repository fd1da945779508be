// SPDX-License-Identifier: Apache-2.0
//
// The part of memory.hpp that maps files: the registry of a process is one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "bast/os/door.hpp"
#include "bast/os/local_socket.hpp"
#include "bast/os/memory.hpp"
#include "bast/os/pipe.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/expect_mappings.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::os {
namespace {

using test::mappings;

descriptor empty_file() { return descriptor(::memfd_create("bast-test", 0)); }

std::size_t length_of(int fd) {
  struct stat file{};
  EXPECT_EQ(::fstat(fd, &file), 0);
  return static_cast<std::size_t>(file.st_size);
}

TEST(MappedFile, IsZeroWritableSharedAndClosedOnExec) {
  const descriptor file = empty_file();
  const std::size_t size = 3 * page_bytes();
  ASSERT_FALSE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC);
  const mappings before = mappings::now();
  std::byte* const base = map_empty_file(file.get(), size).value();
  test::expect_grown_by(before, size);
  EXPECT_TRUE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(length_of(file.get()), size);
  for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(base[i], std::byte{0});
  base[size - 1] = std::byte{'w'};
  char seen = 0;
  EXPECT_EQ(::pread(file.get(), &seen, 1, static_cast<off_t>(size - 1)), 1);
  EXPECT_EQ(seen, 'w') << "shared with the file";
  release(base, size);
  test::expect_grown_by(before, 0);
}

TEST(MappedFile, OneThatHasTheLengthAlreadyWillDo) {
  const descriptor file = empty_file();
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(page_bytes())), 0);
  ASSERT_EQ(::pwrite(file.get(), "theirs", 6, 0), 6);
  std::byte* const base = map_empty_file(file.get(), page_bytes()).value();
  EXPECT_EQ(std::memcmp(base, "theirs", 6), 0) << "what the other process wrote stays";
  release(base, page_bytes());
}

TEST(MappedFile, AnyOtherLengthIsRefused) {
  const std::size_t size = 2 * page_bytes();
  for (const std::size_t length : {std::size_t{1}, size - 1, size + 1}) {
    const descriptor file = empty_file();
    ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(length)), 0);
    EXPECT_EQ(map_empty_file(file.get(), size).error().message(),
              "os.map_empty_file: invalid argument: the file is not empty (" +
                  std::to_string(file.get()) + ")");
    EXPECT_EQ(length_of(file.get()), length);
  }
}

TEST(MappedFile, OnlyARegularFileIsOne) {
  const pipe_ends ends = make_pipe().value();
  for (const int fd : {ends.write_end.get(), -1}) {
    EXPECT_EQ(
        map_empty_file(fd, page_bytes()).error().message(),
        "os.map_empty_file: invalid argument: not a regular file (" + std::to_string(fd) + ")");
  }
}

TEST(MappedFile, AFileThatMayNotBeWrittenIsRefused) {
  const descriptor file = open_file("/proc/self/fd", O_RDONLY).value();
  EXPECT_FALSE(map_empty_file(file.get(), page_bytes()));
  char name[] = "/tmp/bast-os-XXXXXX";
  const descriptor made(::mkstemp(name));
  const descriptor reader = open_file(name, O_RDONLY).value();
  ASSERT_EQ(::unlink(name), 0);
  EXPECT_EQ(map_empty_file(reader.get(), page_bytes()).error().message(),
            "os.map_empty_file: invalid argument: ftruncate refused this many bytes (" +
                std::to_string(page_bytes()) + ") [errno 22]");
}

TEST(MappedFile, ARefusedMapNamesTheBytesAndMapsNothing) {
  const descriptor file = empty_file();
  const mappings before = mappings::now();
  for (const int error_number : {ENOMEM, EPERM, EAGAIN}) {
    const fault_scope fault({.kind = call::map, .nth = 1, .error_number = error_number});
    const auto refused = map_empty_file(file.get(), page_bytes());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_number(), error_number);
    EXPECT_STREQ(refused.error().operation(), "os.map_empty_file");
    EXPECT_STREQ(refused.error().detail(), "mmap refused this many bytes");
  }
  EXPECT_EQ(mappings::now(), before);
  const auto later = map_empty_file(file.get(), page_bytes());
  ASSERT_TRUE(later) << "the length that is there already is the right one";
  release(*later, page_bytes());
}

bool limit_file_size(rlim_t most) {
  const rlimit limit{.rlim_cur = most, .rlim_max = most};
  return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

TEST(MappedFile, RlimitFsizeIsAskedBeforeItsSignal) {
  if (test::emulated) GTEST_SKIP() << "qemu-user keeps such limits to itself";
  const auto mapped_within = [](std::size_t most) {
    return test::in_child([=] {
      const descriptor file = empty_file();
      if (!limit_file_size(most)) return 90;
      const auto mapped = map_empty_file(file.get(), page_bytes());
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
  std::byte* const base = map_empty_file(file.get(), size).value();
  base[0] = std::byte{'a'};
  base[size - 1] = std::byte{'z'};
  const mappings before = mappings::now();
  map_copy_over(base, size, file.get());
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

TEST(MappedFileDeathTest, ACopyThatIsRefusedEndsTheProcess) {
  std::byte* const base = map(page_bytes()).value();
  EXPECT_DEATH(map_copy_over(base, page_bytes(), -1), "a forked child gets a registry of its own");
  release(base, page_bytes());
}

/// What /proc/self/maps says of the page at `base`: its line in `maps`, or an empty text.
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
  // Enough mappings for several reads: neighbours of different access are lines of their own.
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
  if (test::emulated) GTEST_SKIP() << "qemu-user keeps such limits to itself";
  constexpr rlim_t most = 1 << 20;  // what it may append
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
}  // namespace bast::os
