// SPDX-License-Identifier: Apache-2.0
//
// The files in memory of local_socket.hpp: filled without a fault, sealed and sent.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

#include "bast/os/fault_injection.hpp"
#include "bast/os/local_socket.hpp"
#include "bast/os/memory.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

std::string contents_of(int fd) {
  struct stat file{};
  EXPECT_EQ(::fstat(fd, &file), 0);
  std::string all(static_cast<std::size_t>(file.st_size), '?');
  EXPECT_EQ(::pread(fd, all.data(), all.size(), 0), file.st_size);
  return all;
}

TEST(SealedFile, P6_IsEmptyClosedOnExecAndNotSealed) {
  const descriptor file = sealable_file("bast-test").value();
  EXPECT_TRUE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(::fcntl(file.get(), F_GET_SEALS), 0);
  EXPECT_EQ(contents_of(file.get()), "");
}

TEST(SealedFile, CannotBeChangedInAnyWayAfterwards) {
  const descriptor file = sealable_file("bast-test").value();
  ASSERT_TRUE(copy_to_file(file.get(), "sealed", 6, 0));
  ASSERT_TRUE(seal(file.get()));
  EXPECT_EQ(::fcntl(file.get(), F_GET_SEALS),
            F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  EXPECT_EQ(::pwrite(file.get(), "x", 1, 0), -1);
  EXPECT_EQ(::ftruncate(file.get(), 3), -1);
  EXPECT_EQ(::ftruncate(file.get(), 100), -1);
  EXPECT_EQ(contents_of(file.get()), "sealed");
  EXPECT_EQ(seal(file.get()).error().message(),
            "os.seal: system error: fcntl(F_ADD_SEALS) refused [errno 1]")
      << "no further seal either";
}

TEST(SealedFile, ErrorsKeepTheErrno) {
  EXPECT_EQ(seal(-1).error().error_number(), EBADF);
  for (const int error_number : {ENOMEM, EMFILE, EINVAL}) {
    const fault_scope fault({.kind = call::memory_file, .nth = 1, .error_number = error_number});
    const auto refused = sealable_file("bast-test");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_number(), error_number);
    EXPECT_STREQ(refused.error().operation(), "os.sealable_file");
    EXPECT_STREQ(refused.error().detail(), "memfd_create refused");
  }
}

TEST(CopyToFile, WritesAtTheOffsetAndNothingElse) {
  const descriptor file = sealable_file("bast-test").value();
  ASSERT_TRUE(copy_to_file(file.get(), "......", 6, 0));
  ASSERT_TRUE(copy_to_file(file.get(), "abc", 2, 3));
  EXPECT_EQ(contents_of(file.get()), "...ab.");
  ASSERT_TRUE(copy_to_file(file.get(), nullptr, 0, 100)) << "an empty copy always succeeds";
  EXPECT_EQ(contents_of(file.get()), "...ab.");
}

TEST(CopyToFile, AnInterruptedWriteIsTriedAgain) {
  const descriptor file = sealable_file("bast-test").value();
  const fault_scope fault({.kind = call::write, .nth = 1, .error_number = EINTR});
  EXPECT_TRUE(copy_to_file(file.get(), "abc", 3, 0));
  EXPECT_EQ(fault.seen(), 2U);
  EXPECT_EQ(contents_of(file.get()), "abc");
}

TEST(CopyToFile, ARefusedWriteIsFalseAndNotTriedAgain) {
  const descriptor file = sealable_file("bast-test").value();
  for (const int error_number : {EIO, ENOSPC, EAGAIN, EPERM}) {
    const fault_scope fault(
        {.kind = call::write, .nth = 1, .persistent = true, .error_number = error_number});
    EXPECT_FALSE(copy_to_file(file.get(), "abc", 3, 0)) << error_number;
    EXPECT_EQ(fault.seen(), 1U);
  }
  EXPECT_FALSE(copy_to_file(-1, "abc", 3, 0));
  EXPECT_EQ(contents_of(file.get()), "");
}

TEST(CopyToFile, MemoryThatIsNotReadableIsFalseAndNoFault) {
  const descriptor file = sealable_file("bast-test").value();
  const std::size_t size = 2 * page_bytes();
  std::byte* const pages = map(size).value();
  std::memset(pages, 'm', page_bytes());
  ASSERT_TRUE(protect(pages + page_bytes(), page_bytes(), access::none));
  EXPECT_FALSE(copy_to_file(file.get(), pages + page_bytes(), 16, 0));
  // The part before the hole is written by a call of its own; then the hole is reached.
  EXPECT_FALSE(copy_to_file(file.get(), pages, size, 0));
  EXPECT_TRUE(copy_to_file(file.get(), pages, page_bytes(), 0));
  EXPECT_EQ(contents_of(file.get()), std::string(page_bytes(), 'm'));
  release(pages, size);
}

/// A pair of connected sockets.
struct connection {
  descriptor ours;
  descriptor theirs;
};
connection connect_pair() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {.ours = descriptor(ends[0]), .theirs = descriptor(ends[1])};
}

/// One received message: its bytes, the descriptor, and the control messages.
struct arrival {
  std::string message;
  descriptor passed;
  int control_messages = 0;
};
arrival receive(int fd) {
  char text[64];
  iovec part{text, sizeof text};
  alignas(cmsghdr) char space[CMSG_SPACE(4 * sizeof(int))];
  msghdr whole{};
  whole.msg_iov = &part;
  whole.msg_iovlen = 1;
  whole.msg_control = space;
  whole.msg_controllen = sizeof space;
  const ssize_t size = ::recvmsg(fd, &whole, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  arrival got;
  if (size < 0) return got;
  got.message.assign(text, static_cast<std::size_t>(size));
  for (cmsghdr* extra = CMSG_FIRSTHDR(&whole); extra != nullptr;
       extra = CMSG_NXTHDR(&whole, extra)) {
    ++got.control_messages;
    EXPECT_EQ(extra->cmsg_level, SOL_SOCKET);
    EXPECT_EQ(extra->cmsg_type, SCM_RIGHTS);
    EXPECT_EQ(extra->cmsg_len, CMSG_LEN(sizeof(int)));
    int number = -1;
    std::memcpy(&number, CMSG_DATA(extra), sizeof number);
    got.passed = descriptor(number);
  }
  return got;
}

std::span<const std::byte> greeting() { return std::as_bytes(std::span("hello", 5)); }

TEST(SendDescriptor, TheOtherSideGetsTheMessageAndTheSameFile) {
  const connection pair = connect_pair();
  const descriptor file = sealable_file("bast-test").value();
  ASSERT_TRUE(copy_to_file(file.get(), "contents", 8, 0));
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(send_descriptor(pair.ours.get(), greeting(), file.get()));
    const arrival got = receive(pair.theirs.get());
    EXPECT_EQ(got.message, "hello");
    EXPECT_EQ(got.control_messages, 1);
    ASSERT_TRUE(got.passed);
    EXPECT_NE(got.passed.get(), file.get()) << "a copy";
    EXPECT_EQ(contents_of(got.passed.get()), "contents");
  }
  EXPECT_EQ(receive(pair.theirs.get()).message, "") << "one message each";
  EXPECT_TRUE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) << "ours stays ours";
}

TEST(SendDescriptor, AnInterruptedCallIsTriedAgain) {
  const connection pair = connect_pair();
  const fault_scope fault({.kind = call::socket, .nth = 1, .error_number = EINTR});
  EXPECT_TRUE(send_descriptor(pair.ours.get(), greeting(), STDIN_FILENO));
  EXPECT_EQ(fault.seen(), 2U);
  EXPECT_EQ(receive(pair.theirs.get()).message, "hello");
}

TEST(SendDescriptor, APeerThatIsGoneIsAnErrorAndNoSignal) {
  connection pair = connect_pair();
  pair.theirs.reset();
  sigset_t pipe_only;
  sigset_t before;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &pipe_only, &before), 0);
  const auto refused = send_descriptor(pair.ours.get(), greeting(), STDIN_FILENO);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_FALSE(sigismember(&pending, SIGPIPE));
  // A pending one is consumed before the mask is restored.
  struct sigaction theirs{};
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignored, &theirs);
  ::sigaction(SIGPIPE, &theirs, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "os.send_descriptor: closed: sendmsg refused [errno " + std::to_string(EPIPE) + "]");
}

TEST(SendDescriptor, ARefusedCallIsNotTriedAgain) {
  const connection pair = connect_pair();
  for (const int error_number : {EPERM, EAGAIN, ENOMEM}) {
    const fault_scope fault(
        {.kind = call::socket, .nth = 1, .persistent = true, .error_number = error_number});
    EXPECT_EQ(send_descriptor(pair.ours.get(), greeting(), STDIN_FILENO).error().error_number(),
              error_number);
    EXPECT_EQ(fault.seen(), 1U);
  }
  EXPECT_EQ(send_descriptor(pair.ours.get(), greeting(), -1).error().error_number(), EBADF);
  EXPECT_EQ(receive(pair.theirs.get()).message, "");
}

constexpr pid_t some_tracer = 4242;

/// From here on the kernel fails the permission for this tracer with EDOM, and no other prctl.
bool mark_permission_of_the_tracer() {
  constexpr auto word = [](std::size_t offset) { return static_cast<std::uint32_t>(offset); };
  constexpr auto argument = [](std::size_t which) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + which * sizeof(std::uint64_t));
  };
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(offsetof(seccomp_data, nr))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(0)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_PTRACER, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(1)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, some_tracer, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = sizeof program / sizeof *program, .filter = program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(AllowTracer, AsksTheKernelForThatProcess) {
  if (test::emulated || test::under_valgrind) GTEST_SKIP() << "no filter for system calls";
  constexpr int no_seccomp = 90;
  const int status = test::in_child([] {
    if (!mark_permission_of_the_tracer()) return no_seccomp;
    errno = 0;
    allow_tracer(some_tracer);
    return errno;
  });
  if (status == no_seccomp) GTEST_SKIP() << "no filter for system calls";
  EXPECT_EQ(status, EDOM);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
