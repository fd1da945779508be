// SPDX-License-Identifier: Apache-2.0
//
// The listening socket in the file system, its access control, and the transfer of a descriptor.
// sealed_file_test.cpp covers the files that are sent.
#include "bast/os/local_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>

#include "bast/os/fault_injection.hpp"
#include "bast/os/pipe.hpp"
#include "bast/os/process.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

/// A directory of its own for each test, and paths in it.
class LocalSocket : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(place_), nullptr); }
  void TearDown() override {
    (void)::unlink(path().c_str());
    (void)::rmdir(path().c_str());
    EXPECT_EQ(::rmdir(place_), 0) << "empty";
  }
  /// A path of `size` bytes in the directory.
  std::string path(std::size_t size = 40) const {
    std::string name = std::string(place_) + '/';
    name.resize(size, 'x');
    return name;
  }
  bool exists(const std::string& name) const {
    struct stat found{};
    return ::lstat(name.c_str(), &found) == 0;
  }

 private:
  char place_[32] = "/tmp/bast-os-XXXXXX";
};
using PrivateDirectory = LocalSocket;

mode_t mode_of(const std::string& path) {
  struct stat found{};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0);
  return found.st_mode & 07777;
}

/// Connects as any client would. Returns the descriptor, or minus the errno.
int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int cause = errno;
  ::close(fd);
  return -cause;
}

TEST_F(PrivateDirectory, IsMadeForItsOwnerOnlyAndFoundAgain) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(private_directory(path().c_str()));
    EXPECT_EQ(mode_of(path()), mode_t{0700});
  }
}

TEST_F(PrivateDirectory, IsRefusedForEachPermissionOfOthers) {
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  for (mode_t bit = 01; bit <= 0400; bit <<= 1) {
    const mode_t mode = bit <= 040 ? 0700 | bit : 0700 & ~bit;
    ASSERT_EQ(::chmod(path().c_str(), mode), 0);
    const auto status = private_directory(path().c_str());
    EXPECT_EQ(status.has_value(), bit > 040) << std::oct << mode;
    if (!status) {
      EXPECT_EQ(status.error().message(),
                "os.private_directory: invalid argument: others can enter the directory");
    }
    EXPECT_EQ(mode_of(path()), mode) << "not changed";
  }
}

TEST_F(PrivateDirectory, IsRefusedWhereThereIsSomethingElse) {
  ASSERT_EQ(::symlink("/", path().c_str()), 0);
  const std::string message =
      "os.private_directory: invalid argument: a file that is no directory has this name";
  EXPECT_EQ(private_directory(path().c_str()).error().message(), message) << "a link";
  ASSERT_EQ(::unlink(path().c_str()), 0);
  ASSERT_TRUE(open_file(path().c_str(), O_WRONLY | O_CREAT, 0600));
  EXPECT_EQ(private_directory(path().c_str()).error().message(), message) << "a file";
}

TEST_F(PrivateDirectory, OfAnotherUserIsRefused) {
  constexpr uid_t another = 4242;
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  std::string theirs = path();
  uid_t owner = another;
  if (::chown(theirs.c_str(), another, gid_t(-1)) != 0) {
    if (::geteuid() == 0) GTEST_SKIP() << "this root may not chown a directory";
    theirs = "/";
    owner = 0;
  }
  EXPECT_EQ(private_directory(theirs.c_str()).error().message(),
            "os.private_directory: invalid argument: the directory is another user's (" +
                std::to_string(owner) + ")");
}

TEST_F(PrivateDirectory, ErrorsKeepTheErrno) {
  EXPECT_EQ(private_directory("/nonexistent/private").error().message(),
            "os.private_directory: system error: mkdir refused [errno 2]");
  for (const int error_number : {EACCES, EROFS, ENOSPC}) {
    const fault_scope fault({.kind = call::open, .nth = 1, .error_number = error_number});
    EXPECT_EQ(private_directory(path().c_str()).error().error_number(), error_number);
    EXPECT_FALSE(exists(path()));
  }
  // Removed by another process between mkdir and lstat.
  const fault_scope fault({.kind = call::open, .nth = 1, .error_number = EEXIST});
  EXPECT_EQ(private_directory(path().c_str()).error().message(),
            "os.private_directory: system error: lstat refused [errno 2]");
}

TEST_F(LocalSocket, P6_ListensAcceptsAndIsClosedOnExec) {
  const descriptor listening = listen_at(path().c_str()).value();
  EXPECT_TRUE(::fcntl(listening.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_FALSE(::fcntl(listening.get(), F_GETFL) & O_NONBLOCK);
  for (int round = 0; round < 2; ++round) {
    const descriptor client(connect_to(path()));
    ASSERT_TRUE(client);
    const descriptor served = accept_from(listening.get()).value();
    EXPECT_NE(served.get(), listening.get());
    EXPECT_TRUE(::fcntl(served.get(), F_GETFD) & FD_CLOEXEC);
    ASSERT_EQ(::write(client.get(), "knock", 5), 5);
    char heard[8] = {};
    EXPECT_EQ(::read(served.get(), heard, sizeof heard), 5);
    EXPECT_STREQ(heard, "knock");
  }
}

TEST_F(LocalSocket, AFileThatWasLeftThereIsReplaced) {
  const descriptor earlier = listen_at(path().c_str()).value();
  const descriptor listening = listen_at(path().c_str()).value();
  const descriptor client(connect_to(path()));
  ASSERT_TRUE(client);
  EXPECT_TRUE(accept_from(listening.get())) << "the later one accepts";
  remove_socket(path().c_str());
  EXPECT_FALSE(exists(path()));
  remove_socket(path().c_str());  // Never fails.
  EXPECT_EQ(connect_to(path()), -ENOENT);
}

TEST_F(LocalSocket, APathHasAtMost107Bytes) {
  constexpr std::size_t most = sizeof sockaddr_un::sun_path - 1;
  static_assert(most == 107);
  const std::string longest = path(most);
  {
    const descriptor listening = listen_at(longest.c_str()).value();
    EXPECT_TRUE(exists(longest));
    const descriptor client(connect_to(longest));
    EXPECT_TRUE(client);
    remove_socket(longest.c_str());
  }
  const fault_scope calls({.kind = call::socket});
  EXPECT_EQ(listen_at(path(most + 1).c_str()).error().message(),
            "os.listen_at: invalid argument: the path is longer than a socket's can be (108)");
  EXPECT_EQ(calls.seen(), 0U);
  EXPECT_FALSE(exists(longest)) << "the path is not truncated";
}

TEST_F(LocalSocket, AnEmptyPathIsNoFileAndRefused) {
  const fault_scope calls({.kind = call::socket});
  EXPECT_EQ(listen_at("").error().message(), "os.listen_at: invalid argument: the path is empty");
  EXPECT_EQ(calls.seen(), 0U);
}

TEST_F(LocalSocket, AtLeastSixteenMayWaitToBeAccepted) {
  const descriptor listening = listen_at(path().c_str()).value();
  descriptor clients[16];
  for (descriptor& client : clients) {
    client = descriptor(connect_to(path()));
    ASSERT_TRUE(client);
  }
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(accept_from(listening.get()));
}

TEST_F(LocalSocket, AcceptingWaitsForSomebody) {
  const descriptor listening = listen_at(path().c_str()).value();
  std::atomic<std::uint32_t> id{0};
  bool accepted = false;
  std::thread server([&] {
    id.store(thread_id());
    accepted = accept_from(listening.get()).has_value();
  });
  while (id.load() == 0) ::sched_yield();
  test::wait_until_asleep(id.load());
  const descriptor client(connect_to(path()));
  server.join();
  EXPECT_TRUE(accepted);
}

TEST_F(LocalSocket, AcceptingIsTriedAgainWhenInterruptedOrWhenTheClientIsGone) {
  const descriptor listening = listen_at(path().c_str()).value();
  for (const int error_number : {EINTR, ECONNABORTED}) {
    const descriptor client(connect_to(path()));
    const fault_scope fault({.kind = call::socket, .nth = 1, .error_number = error_number});
    EXPECT_TRUE(accept_from(listening.get())) << error_number;
    EXPECT_EQ(fault.seen(), 2U);
  }
  for (const int error_number : {EMFILE, EAGAIN, EINVAL, EPERM}) {
    const fault_scope fault({.kind = call::socket, .nth = 1, .error_number = error_number});
    const auto refused = accept_from(listening.get());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_number(), error_number);
    EXPECT_STREQ(refused.error().operation(), "os.accept_from");
    EXPECT_EQ(fault.seen(), 1U) << "nothing to wait for";
  }
}

/// A connection may be descriptor 0, whatever errno was before: it is accepted, in order.
TEST_F(LocalSocket, AConnectionThatIsDescriptorZeroIsNoFailure) {
  const descriptor listening = listen_at(path().c_str()).value();
  ASSERT_EQ(::fcntl(listening.get(), F_SETFL, O_NONBLOCK), 0);  // An empty queue is an error.
  for (const int stale : {EINTR, ECONNABORTED, 0}) {
    const descriptor first(connect_to(path()));
    const descriptor second(connect_to(path()));
    ASSERT_EQ(::write(first.get(), "1", 1), 1);
    ASSERT_EQ(::write(second.get(), "2", 1), 1);
    EXPECT_EQ(test::in_child([&] {
                ::close(0);
                errno = stale;
                const auto served = accept_from(listening.get());
                char heard = 0;
                if (!served || served->get() < 3) return 10;
                if (::read(served->get(), &heard, 1) != 1) return 11;
                return heard - '0';
              }),
              1)
        << stale;
    EXPECT_TRUE(accept_from(listening.get())) << "the second is still queued";
  }
}

TEST_F(LocalSocket, EachStepThatIsRefusedIsNamedAndLeavesNothing) {
  const char* const steps[] = {"socket refused", "bind refused", "listen refused"};
  for (const int error_number : {EACCES, EMFILE, ENOMEM}) {
    for (std::uint64_t nth = 1; nth <= 3; ++nth) {
      const test::leak_baseline before;
      {
        const fault_scope fault({.kind = call::socket, .nth = nth, .error_number = error_number});
        const auto refused = listen_at(path().c_str());
        ASSERT_FALSE(refused);
        EXPECT_EQ(fault.seen(), nth);
        EXPECT_STREQ(refused.error().operation(), "os.listen_at");
        EXPECT_STREQ(refused.error().detail(), steps[nth - 1]);
        EXPECT_EQ(refused.error().error_number(), error_number);
      }
      EXPECT_FALSE(exists(path()));
      EXPECT_EQ(before.differences(), "");
    }
  }
  EXPECT_TRUE(listen_at(path().c_str()));
}

TEST_F(LocalSocket, APeerIsAProcessAndItsUser) {
  const descriptor listening = listen_at(path().c_str()).value();
  const descriptor client(connect_to(path()));
  const descriptor served = accept_from(listening.get()).value();
  const peer who = peer_of(served.get()).value();
  EXPECT_EQ(who.pid, ::getpid());
  EXPECT_EQ(who.user, ::geteuid());
  // Another process, and as another user where permitted.
  constexpr uid_t another = 4242;
  int answer[2];
  ASSERT_EQ(::pipe2(answer, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    (void)::chmod(path().substr(0, path().rfind('/')).c_str(), 0777);
    (void)::chmod(path().c_str(), 0777);
    const bool changed = ::setresuid(another, another, another) == 0;
    const int fd = connect_to(path());
    char byte = changed ? 'c' : 's';
    (void)!::write(answer[1], &byte, 1);
    (void)!::read(fd, &byte, 1);  // Until the test has read the peer.
    ::_exit(0);
  }
  char changed = 0;
  ASSERT_EQ(::read(answer[0], &changed, 1), 1);
  {
    const descriptor theirs = accept_from(listening.get()).value();
    const peer other = peer_of(theirs.get()).value();
    EXPECT_EQ(other.pid, child);
    EXPECT_EQ(other.user, changed == 'c' ? another : ::geteuid());
  }
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(answer[0]);
  ::close(answer[1]);
  EXPECT_EQ(peer_of(-1).error().message(),
            "os.peer_of: system error: getsockopt(SO_PEERCRED) refused [errno 9]");
  const fault_scope fault({.kind = call::socket, .nth = 1, .error_number = EPERM});
  EXPECT_EQ(peer_of(served.get()).error().error_number(), EPERM);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
