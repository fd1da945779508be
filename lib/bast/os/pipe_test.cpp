// SPDX-License-Identifier: Apache-2.0
#include "bast/os/pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <string>

#include "bast/os/fault_injection.hpp"
#include "bast/os/local_socket.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
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

TEST(MemoryFile, P16_NobodyCanChangeIt) {
  const descriptor file = memory_file("test", as_bytes("contents")).value();
  EXPECT_EQ(::pwrite(file.get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(file.get(), 0), -1);
  EXPECT_EQ(::ftruncate(file.get(), 100), -1);
  EXPECT_EQ(read_text(file.get(), 100), "contents");
}

TEST(MemoryFile, P17_BeyondRlimitFsizeIsAnErrorAndNoSignal) {
  if (test::emulated) GTEST_SKIP() << "qemu-user does not apply such limits";
  EXPECT_EQ(test::in_child([] {
              const rlimit few{.rlim_cur = 8, .rlim_max = RLIM_INFINITY};
              if (::setrlimit(RLIMIT_FSIZE, &few) != 0) return 1;
              if (!memory_file("test", as_bytes("contents"))) return 2;
              const auto more = memory_file("test", as_bytes("contents!"));
              if (more || more.error().error_number() != EFBIG) return 3;
              const auto file = sealable_file("test");
              if (!copy_to_file(file->get(), "12345678", 8, 0)) return 4;
              if (copy_to_file(file->get(), "12345678", 8, 1)) return 5;
              return 0;
            }),
            0);
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

TEST(Pipe, EachErrorIsWholeAndNotTriedAgain) {
  const pipe_ends ends = make_pipe().value();
  const std::string end = " (-1) [errno 9]";
  std::byte byte{};
  EXPECT_EQ(set_nonblocking(-1).error().message(),
            "os.set_nonblocking: system error: fcntl(F_SETFL) refused" + end);
  EXPECT_EQ(read_some(-1, {&byte, 1}).error().message(),
            "os.read_some: system error: read refused" + end);
  EXPECT_EQ(write_some(-1, {&byte, 1}).error().message(),
            "os.write_some: system error: write refused" + end);
  for (const int error_number : {EMFILE, ENFILE, ENOMEM, EAGAIN, EIO, EPIPE}) {
    const auto plan = [=](call kind) {
      return fault_plan{.kind = kind, .nth = 1, .persistent = true, .error_number = error_number};
    };
    {
      const fault_scope fault(plan(call::pipe));
      EXPECT_EQ(make_pipe().error().message(),
                error::from_errno(error_number, "os.make_pipe", "pipe2 refused").message());
      EXPECT_EQ(set_nonblocking(ends.read_end.get()).error().error_number(), error_number);
      EXPECT_EQ(fault.seen(), 2U);
    }
    {
      const fault_scope fault(plan(call::read));
      EXPECT_EQ(read_some(ends.read_end.get(), {&byte, 1}).error().error_number(), error_number);
      EXPECT_EQ(fault.seen(), 1U);
    }
    const fault_scope fault(plan(call::write));
    EXPECT_EQ(write_some(ends.write_end.get(), {&byte, 1}).error().error_number(), error_number);
    EXPECT_EQ(fault.seen(), 1U);
  }
  EXPECT_FALSE(::fcntl(ends.read_end.get(), F_GETFL) & O_NONBLOCK);
}

TEST(Pipe, P5_NonBlockingIsAddedToTheOtherFlags) {
  const descriptor file(::memfd_create("bast-test", 0));
  ASSERT_EQ(::fcntl(file.get(), F_SETFL, O_APPEND), 0);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(set_nonblocking(file.get()));
    EXPECT_EQ(::fcntl(file.get(), F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
  }
}

TEST(Pipe, NothingIsWrittenAndReadAsNothing) {
  const pipe_ends ends = make_pipe().value();
  EXPECT_EQ(write_some(ends.write_end.get(), {}), 0U);
  EXPECT_EQ(read_some(ends.read_end.get(), {}), 0U);
}

TEST(Pipe, P17_AWriteWithoutAReaderRaisesNoSignal) {
  EXPECT_EQ(test::in_child([] {
              ::signal(SIGPIPE, SIG_DFL);
              pipe_ends ends = make_pipe().value();
              ends.read_end.reset();
              sigset_t blocked;
              for (int round = 0; round < 2; ++round) {
                const auto written = write_some(ends.write_end.get(), as_bytes("x"));
                if (written || written.error() != errc::closed) return 1;
                if (written.error().error_number() != EPIPE) return 2;
                sigset_t pending;
                ::sigpending(&pending);
                if (::sigismember(&pending, SIGPIPE) != 0) return 3;
                ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
                if (::sigismember(&blocked, SIGPIPE) != 0) return 4;
              }
              // One that was pending before stays, and so does the mask.
              ::sigemptyset(&blocked);
              ::sigaddset(&blocked, SIGPIPE);
              ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
              ::raise(SIGPIPE);
              if (write_some(ends.write_end.get(), as_bytes("x"))) return 5;
              sigset_t pending;
              ::sigpending(&pending);
              if (::sigismember(&pending, SIGPIPE) != 1) return 6;
              ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
              return ::sigismember(&blocked, SIGPIPE) == 1 ? 0 : 7;
            }),
            0);
}

TEST(Pipe, InterruptionsAreCountedByNobody) {
  const pipe_ends ends = make_pipe().value();
  {
    const fault_scope fault({.kind = call::write, .nth = 1, .also_nth = 2, .error_number = EINTR});
    EXPECT_EQ(write_some(ends.write_end.get(), as_bytes("xy")), 2U);
    EXPECT_EQ(fault.seen(), 3U);
  }
  const fault_scope fault({.kind = call::read, .nth = 1, .also_nth = 2, .error_number = EINTR});
  EXPECT_EQ(read_text(ends.read_end.get(), 3), "xy");
  EXPECT_EQ(fault.seen(), 3U);
}

TEST(MemoryFile, OnlyAnUnknownFlagIsLeftOut) {
  for (const int error_number : {EMFILE, ENOMEM, EPERM, ENOSYS}) {
    const fault_scope fault({.kind = call::memory_file, .nth = 1, .error_number = error_number});
    EXPECT_EQ(memory_file("test", {}).error().message(),
              error::from_errno(error_number, "os.memory_file", "memfd_create refused").message());
    EXPECT_EQ(fault.seen(), 1U);
  }
  const fault_scope fault(
      {.kind = call::memory_file, .nth = 1, .also_nth = 2, .error_number = EINVAL});
  EXPECT_EQ(memory_file("test", {}).error(), errc::invalid);
  EXPECT_EQ(fault.seen(), 2U) << "retried once without the flag";
}

TEST(MemoryFile, HasItsNameAndCannotBeExecuted) {
  const descriptor file = memory_file("a-name", as_bytes("x")).value();
  char target[64] = {};
  ASSERT_GT(::readlink(("/proc/self/fd/" + std::to_string(file.get())).c_str(), target, 63), 0);
  EXPECT_STREQ(target, "/memfd:a-name (deleted)");
  // On a kernel that knows the flag, the file is sealed against becoming executable.
  constexpr unsigned noexec = 8;
  constexpr int f_seal_exec = 0x20;
  const descriptor probe(::memfd_create("probe", noexec));
  if (probe) {
    EXPECT_TRUE(::fcntl(file.get(), F_GET_SEALS) & f_seal_exec);
  }
  const fault_scope fault({.kind = call::memory_file, .nth = 1, .error_number = EINVAL});
  const descriptor plain = memory_file("a-name", as_bytes("plain")).value();
  EXPECT_TRUE(::fcntl(plain.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(read_text(plain.get(), 10), "plain");
}

TEST(MemoryFile, ContentsThatAreRefusedCloseTheFile) {
  const test::leak_baseline before;
  for (const int error_number : {ENOSPC, ENOMEM, EIO, EPERM}) {
    const fault_scope fault(
        {.kind = call::write, .nth = 1, .persistent = true, .error_number = error_number});
    EXPECT_EQ(
        memory_file("test", as_bytes("contents")).error().message(),
        error::from_errno(error_number, "os.memory_file", "there is no memory for the contents")
            .message());
    EXPECT_EQ(fault.seen(), 1U);
  }
  EXPECT_EQ(before.differences(), "");
  const fault_scope fault({.kind = call::write, .nth = 1, .error_number = EINTR});
  const descriptor file = memory_file("test", as_bytes("contents")).value();
  EXPECT_EQ(read_text(file.get(), 100), "contents");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
