// SPDX-License-Identifier: Apache-2.0
#include "bast/os/pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>

#include "bast/os/door.hpp"
#include "bast/testing/baseline.hpp"

namespace bast::os {
namespace {

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string read_text(int fd, std::size_t size) {
  std::string text(size, '\0');
  text.resize(read_some(fd, std::as_writable_bytes(std::span(text))).value());
  return text;
}

TEST(Pipe, P6_BothEndsAreClosedOnExecAndBlock) {
  const pipe_ends ends = make_pipe().value();
  for (const int fd : {ends.read_end.get(), ends.write_end.get()}) {
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_FALSE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
  }
}

TEST(Pipe, CarriesBytesToItsEnd) {
  pipe_ends ends = make_pipe().value();
  EXPECT_EQ(write_some(ends.write_end.get(), as_bytes("hello")), 5U);
  EXPECT_EQ(read_text(ends.read_end.get(), 3), "hel");
  EXPECT_EQ(read_text(ends.read_end.get(), 100), "lo");
  ends.write_end.reset();
  EXPECT_EQ(read_text(ends.read_end.get(), 100), "");
}

TEST(Pipe, P5_OnlyTheChosenEndDoesNotBlock) {
  const pipe_ends ends = make_pipe().value();
  ASSERT_TRUE(set_nonblocking(ends.read_end.get()));
  EXPECT_TRUE(::fcntl(ends.read_end.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_FALSE(::fcntl(ends.write_end.get(), F_GETFL) & O_NONBLOCK);
  std::byte byte{};
  EXPECT_EQ(read_some(ends.read_end.get(), {&byte, 1}).error().error_number(), EAGAIN);
  EXPECT_FALSE(set_nonblocking(-1));
}

TEST(Pipe, InterruptedCallsAreTriedAgain) {
  const pipe_ends ends = make_pipe().value();
  {
    const fault_scope fault({.kind = call::write, .nth = 1, .error_number = EINTR});
    EXPECT_EQ(write_some(ends.write_end.get(), as_bytes("x")), 1U);
  }
  const fault_scope fault({.kind = call::read, .nth = 1, .error_number = EINTR});
  EXPECT_EQ(read_text(ends.read_end.get(), 1), "x");
}

TEST(MemoryFile, P16_HoldsAnyContentsFromTheStart) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3} << 20}) {
    const std::string contents(size, 'm');
    const descriptor file = memory_file("test", as_bytes(contents)).value();
    EXPECT_TRUE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 0);
    EXPECT_TRUE(read_text(file.get(), size + 1) == contents);
  }
}

TEST(MemoryFile, WorksOnKernelsWithoutTheLaterFlag) {
  const fault_scope fault({.kind = call::memory_file, .nth = 1, .error_number = EINVAL});
  EXPECT_TRUE(memory_file("test", as_bytes("x")));
  EXPECT_EQ(fault.injected(), 1U);
}

TEST(MemoryFile, X6_AFailureLeavesNothing) {
  const auto loop = test::for_each_failing_call([](test::injection&) {
    const auto ends = make_pipe();
    const auto file = memory_file("test", as_bytes("contents"));
    return !file && file.error().operation() == nullptr ? "unclear" : std::string();
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

}  // namespace
}  // namespace bast::os
