// SPDX-License-Identifier: Apache-2.0
//
// Each system call of the readers when it is interrupted, fails, or does a part of its work; and
// one page, piece or byte more than its buffers hold.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "model/test_record_text.hpp"
#include "read/process_memory.hpp"
#include "read/testing/faulty_calls.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::called;
using testing::faulty_call;

constexpr std::uint64_t page_size = 4096;

/// Memory whose present pages a test chooses.
struct own_pages {
  std::uint64_t count;
  std::byte* at;
  explicit own_pages(std::uint64_t pages) : count(pages) {
    at = static_cast<std::byte*>(::mmap(nullptr, count * page_size, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    (void)::madvise(at, count * page_size, MADV_NOHUGEPAGE);
  }
  ~own_pages() { ::munmap(at, count * page_size); }
  own_pages(const own_pages&) = delete;
  own_pages& operator=(const own_pages&) = delete;

  void write(std::uint64_t page) const {
    *const_cast<volatile std::byte*>(at + page * page_size) = std::byte{1};
  }
  std::uint64_t low() const { return reinterpret_cast<std::uint64_t>(at); }
  /// "page+pages" of the result.
  std::string text(const std::vector<resident_extent>& found) const {
    std::string all;
    for (const resident_extent& each : found)
      all += fmt::format("{}+{}{} ", (each.where.low - low()) / page_size,
                         each.where.bytes() / page_size, each.swapped ? "s" : "");
    return all;
  }
};

using asked = bool (*)(int, extent, std::vector<resident_extent>&);

std::string pages_of(const own_pages& pages, asked ask) {
  const descriptor pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  std::vector<resident_extent> found{
      {.where = {.low = pages.low() - 7 * page_size, .high = pages.low() - 5 * page_size}}};
  const bool known = ask(
      pagemap.get(), {.low = pages.low(), .high = pages.low() + pages.count * page_size}, found);
  // Earlier results stay unchanged.
  EXPECT_EQ(found.at(0).where.bytes(), 2 * page_size);
  found.erase(found.begin());
  return (known ? "" : "not known ") + pages.text(found);
}

TEST(Pagemap, SaysWhichPagesAreThereHoweverOneAsks) {
  const own_pages pages(12);
  for (const std::uint64_t page : {0U, 1U, 3U, 8U, 9U, 10U, 11U}) pages.write(page);
  for (const asked ask : {&scan_pagemap, &read_pagemap}) {
    EXPECT_EQ(pages_of(pages, ask), "0+2 3+1 8+4 ");
    const descriptor pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    std::vector<resident_extent> found;
    ASSERT_TRUE(
        ask(pagemap.get(), {.low = pages.low() + 100, .high = pages.low() + 3 * 4096 + 1}, found));
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].where.low - pages.low(), 100U);
    EXPECT_EQ(found[0].where.high - pages.low(), 8192U);
    EXPECT_EQ(found[1].where.low - pages.low(), 12'288U);
    EXPECT_EQ(found[1].where.high - pages.low(), 12'289U);
    found.clear();
    EXPECT_TRUE(ask(pagemap.get(), {.low = pages.low(), .high = pages.low()}, found));
    EXPECT_TRUE(found.empty());
  }
}

TEST(Pagemap, MorePagesAndRegionsThanABufferHolds) {
  // Two buffers of 2048 regions and one; two buffers of 4096 words and some.
  const own_pages pages(2 * 4096 + 10);
  std::string expected;
  for (std::uint64_t page = 0; page < pages.count; page += 2) {
    pages.write(page);
    expected += fmt::format("{}+1 ", page);
  }
  EXPECT_EQ(pages_of(pages, &scan_pagemap), expected);
  EXPECT_EQ(pages_of(pages, &read_pagemap), expected);
  for (std::uint64_t page = 1; page < pages.count; page += 2) pages.write(page);
  EXPECT_EQ(pages_of(pages, &scan_pagemap), fmt::format("0+{} ", pages.count));
  EXPECT_EQ(pages_of(pages, &read_pagemap), fmt::format("0+{} ", pages.count));
}

TEST(Pagemap, AnInterruptIsNoAnswer) {
  const own_pages pages(4096 + 4);
  for (const std::uint64_t page : {1U, 2U, 4095U, 4096U, 4099U}) pages.write(page);
  const std::string expected = "1+2 4095+2 4099+1 ";
  for (int after = 0; after < 2; ++after) {
    const faulty_call scan(called::ioctl, {.after = after, .times = 3, .error = EINTR});
    const faulty_call words(called::pread, {.after = after, .times = 3, .error = EINTR});
    EXPECT_EQ(pages_of(pages, &scan_pagemap), expected);
    EXPECT_EQ(pages_of(pages, &read_pagemap), expected);
    EXPECT_EQ(words.calls(), 2 + 3);
  }
}

TEST(Pagemap, WithoutTheScanWordsAreRead) {
  const own_pages pages(4096 + 4);
  for (const std::uint64_t page : {1U, 4099U}) pages.write(page);
  for (const int error : {ENOTTY, EINVAL, EPERM}) {
    const faulty_call scan(called::ioctl, {.times = 100, .error = error});
    const faulty_call words(called::pread, {});
    EXPECT_EQ(pages_of(pages, &scan_pagemap), "1+1 4099+1 ");
    EXPECT_EQ(scan.calls(), 1);
    EXPECT_EQ(words.calls(), 2);
  }
  const faulty_call scan(called::ioctl, {.times = 1, .error = ENOTTY});
  const faulty_call words(called::pread, {.times = 1, .error = EACCES});
  EXPECT_EQ(pages_of(pages, &scan_pagemap), "not known ");
}

TEST(Pagemap, WhatItsEndHidesIsNotThere) {
  const own_pages pages(20);
  for (std::uint64_t page = 0; page < 20; ++page) pages.write(page);
  const faulty_call words(called::pread, {.times = 1, .most = 3 * 8});
  EXPECT_EQ(pages_of(pages, &read_pagemap), "0+3 ");
}

TEST(Source, AFileIsReadWholeInWhateverParts) {
  std::string path = ::testing::TempDir() + "bast-source-XXXXXX";
  const descriptor made(::mkstemp(path.data()));
  ASSERT_EQ(::write(made.get(), "0123456789", 10), 10);
  const auto file = file_source::open(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(file);
  const auto read = [&](std::uint64_t offset, std::size_t bytes) {
    std::string text(bytes, '?');
    const std::size_t count = (*file)->read_at(offset, std::as_writable_bytes(std::span(text)));
    return text.substr(0, count);
  };
  EXPECT_EQ((*file)->size(), 10U);
  EXPECT_EQ(read(0, 10), "0123456789");
  EXPECT_EQ(read(9, 5), "9");
  EXPECT_EQ(read(10, 5), "");
  EXPECT_EQ(read(INT64_MAX, 1), "");
  EXPECT_EQ(read(UINT64_MAX, 1), "");
  EXPECT_EQ(read(3, 0), "");
  {
    const faulty_call parts(called::pread, {.times = 3, .most = 2});
    EXPECT_EQ(read(1, 9), "123456789");
    EXPECT_EQ(parts.calls(), 4);
  }
  {
    // At most the request, whatever arrived first.
    const faulty_call parts(called::pread, {.times = 1, .most = 2});
    std::string text(10, '?');
    const auto into = std::as_writable_bytes(std::span(text)).first(5);
    EXPECT_EQ((*file)->read_at(0, into), 5U);
    EXPECT_EQ(text, "01234?????");
  }
  {
    const faulty_call interrupted(called::pread, {.times = 2, .error = EINTR});
    EXPECT_EQ(read(1, 3), "123");
  }
  const faulty_call broken(called::pread, {.times = 9, .error = EIO});
  EXPECT_EQ(read(1, 3), "");
}

TEST(Source, OfAFileWithHolesOnlyTheDataAreThere) {
  std::string path = ::testing::TempDir() + "bast-holes-XXXXXX";
  const descriptor made(::mkstemp(path.data()));
  constexpr std::uint64_t unit = 64 << 10;
  ASSERT_EQ(::pwrite(made.get(), "x", 1, 1 * unit), 1);
  ASSERT_EQ(::pwrite(made.get(), "y", 1, 5 * unit), 1);
  ASSERT_EQ(::ftruncate(made.get(), 8 * unit), 0);
  const auto file = file_source::open(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(file);
  const auto data = [&](std::uint64_t low, std::uint64_t high) {
    std::vector<extent> found;
    (*file)->data({.low = low, .high = high}, found);
    std::string text;
    for (const extent& each : found) text += fmt::format("{}-{} ", each.low, each.high);
    return text;
  };
  const std::string whole = data(0, UINT64_MAX);
  if (whole == fmt::format("0-{} ", 8 * unit)) GTEST_SKIP() << "a file system without holes";
  EXPECT_EQ(whole, fmt::format("{}-{} {}-{} ", unit, unit + 4096, 5 * unit, 5 * unit + 4096));
  EXPECT_EQ(data(unit + 1, unit + 100), fmt::format("{}-{} ", unit + 1, unit + 100));
  EXPECT_EQ(data(0, unit), "");
  EXPECT_EQ(data(2 * unit, 5 * unit), "");
  EXPECT_EQ(data(6 * unit, 9 * unit), "");
  EXPECT_EQ(data(8 * unit, 9 * unit), "");
  EXPECT_EQ(data(5 * unit, 5 * unit), "");
}

TEST(Source, AFileOfProcIsReadUntilItsEnd) {
  const std::string path = "/proc/self/maps";
  const auto whole = read_proc(path, 1 << 20);
  ASSERT_TRUE(whole);
  EXPECT_EQ(read_proc(path, 10).value(), whole->substr(0, 10));
  EXPECT_EQ(read_proc(path, 0).value(), "");
  {
    const faulty_call interrupted(called::read, {.times = 2, .error = EINTR});
    EXPECT_EQ(read_proc("/proc/self/comm", 100).value(), "bast_stacks_rea\n");
  }
  {
    const faulty_call parts(called::read, {.times = 3, .most = 5});
    EXPECT_EQ(read_proc("/proc/self/comm", 100).value(), "bast_stacks_rea\n");
  }
  {
    const faulty_call broken(called::read, {.times = 1, .error = EIO});
    EXPECT_EQ(read_proc("/proc/self/comm", 100).error(), EIO);
  }
  EXPECT_EQ(read_proc("/proc/self/no such file", 100).error(), ENOENT);
  EXPECT_EQ(read_number("/proc/self/comm"), std::nullopt);
  EXPECT_EQ(read_number("/proc/self/no such file"), std::nullopt);
  EXPECT_EQ(read_number("/proc/self/oom_score_adj"), 0);
}

TEST(ProcessMemory, MorePiecesThanOneCallTakes) {
  constexpr std::size_t count = 2 * 1024 + 3;
  std::vector<std::uint32_t> from(count);
  std::vector<std::uint32_t> into(count);
  std::vector<piece> pieces;
  for (std::size_t i = 0; i < count; ++i) {
    from[i] = static_cast<std::uint32_t>(i + 1);
    const bool absent = i == 5 || i == 1023 || i == 1024 || i + 1 == count;
    pieces.push_back({.address = absent ? 64 : reinterpret_cast<std::uint64_t>(&from[i]),
                      .into = std::as_writable_bytes(std::span(&into[i], 1))});
  }
  process_memory own(::getpid());
  const faulty_call calls(called::process_vm_readv, {});
  own.read(pieces);
  for (std::size_t i = 0; i < count; ++i) {
    const bool absent = pieces[i].address == 64;
    EXPECT_EQ(pieces[i].present, !absent) << i;
    EXPECT_EQ(into[i], absent ? 0 : i + 1);
  }
  EXPECT_EQ(calls.calls(), 5);  // three batches, and once more behind each that hides others
}

TEST(ProcessMemory, SaysWhyItCannotBeReadAnyMore) {
  const auto after = [](int error) {
    process_memory own(::getpid());
    const faulty_call fails(called::process_vm_readv, {.times = 1, .error = error});
    char byte = 0;
    const bool first = own.read(reinterpret_cast<std::uint64_t>("x"), byte);
    const bool second = own.read(reinterpret_cast<std::uint64_t>("x"), byte);
    return fmt::format("{} {} {}", first, second,
                       own.broken() ? test::record_text(*own.broken()) : "");
  };
  EXPECT_EQ(after(EFAULT), "false true ");
  EXPECT_EQ(after(EINVAL), "false true ");
  EXPECT_EQ(after(ESRCH),
            fmt::format("false false 3 process {} ended while it was read", ::getpid()));
  EXPECT_EQ(after(EPERM),
            fmt::format("false false 3 cannot read the memory of process {} any more: "
                        "Operation not permitted",
                        ::getpid()));
  process_memory own(::getpid());
  EXPECT_EQ(own.try_read(reinterpret_cast<std::uint64_t>("x")), 0);
  EXPECT_EQ(own.try_read(64), EFAULT);
}

}  // namespace
}  // namespace bast_stacks
