// SPDX-License-Identifier: Apache-2.0
//
// Which users a listener serves, and its reaction to clients that it cannot serve.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "bast/os.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/visitor.hpp"
#include "bast/watch/listen.hpp"

namespace bast::watch {
namespace {

constexpr uid_t somebody = 65534;
constexpr uid_t somebody_else = 65533;

using ListenerPeer = test::socket_directory;

TEST_F(ListenerPeer, OnlyTheSameUserAndRootAreServed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  // 0: that user gets the memory_image; 1: the connection just ends; 2: it cannot connect.
  const auto visit_as = [&](uid_t user) {
    return test::in_child([&] {
      if (user != 0 && ::setresuid(user, user, user) != 0) return 3;
      const test::received got = test::visit(path);
      if (!got.connected) return 2;
      return got.fd >= 0 && got.greeting == "BASTWTCH" ? 0 : 1;
    });
  };
  {
    const auto of_root = listener::create(path.c_str());
    ASSERT_TRUE(of_root) << of_root.error().message();
    // Of a careless user, whose directory any user may enter.
    ASSERT_EQ(::chmod(directory.c_str(), 0777), 0);
    ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
    EXPECT_EQ(visit_as(0), 0);
    EXPECT_EQ(visit_as(somebody), 1) << "another user gets nothing";
    EXPECT_EQ(visit_as(0), 0) << "and does not block others";
  }
  // The listening thread has the user of its creator: here, as in a service that has dropped its
  // rights. Each in a child, because a user is a property of the whole process.
  EXPECT_EQ(test::in_child([&] {
              if (::chmod(directory.c_str(), 0777) != 0) return 1;
              if (::setresuid(somebody, somebody, 0) != 0) return 2;
              const auto of_somebody = listener::create(path.c_str());
              if (!of_somebody) return 3;
              if (::chmod(path.c_str(), 0777) != 0) return 4;
              const auto visit_from = [&](uid_t user) {
                return test::in_child([&] {
                  if (::setresuid(0, 0, 0) != 0 || ::setresuid(user, user, user) != 0) return 10;
                  const test::received got = test::visit(path);
                  if (!got.connected) return 11;
                  return got.fd >= 0 ? 0 : 1;
                });
              };
              if (visit_from(somebody) != 0) return 5;
              if (visit_from(somebody_else) != 1) return 6;
              if (visit_from(0) != 0) return 7;
              return 0;
            }),
            0);
}

TEST_F(ListenerPeer, WhoCannotBeIdentifiedGetsNothing) {
  const auto listening = listener::create(path.c_str());
  ASSERT_TRUE(listening);
  // accept4, getsockopt, sendmsg: the peer is unknown, or nothing can be sent.
  for (const std::uint64_t nth : {2U, 3U}) {
    const os::fault_scope fault({.kind = os::call::socket, .nth = nth, .error_number = EINVAL});
    const test::received got = test::visit(path);
    EXPECT_TRUE(got.connected);
    EXPECT_EQ(got.greeting, "");
    EXPECT_EQ(got.fd, -1);
    EXPECT_EQ(fault.injected(), 1U);
    EXPECT_EQ(fault.seen(), nth) << "nothing is tried after the refusal";
  }
  const test::received got = test::visit(path);
  EXPECT_GE(got.fd, 0);
  ::close(got.fd);
}

TEST_F(ListenerPeer, AVisitorWhoseImageCannotBeMadeIsLetGo) {
  const auto listening = listener::create(path.c_str());
  ASSERT_TRUE(listening);
  {
    const os::fault_scope fault({.kind = os::call::memory_file, .nth = 1, .error_number = EMFILE});
    const test::received got = test::visit(path);
    EXPECT_TRUE(got.connected);
    EXPECT_EQ(got.fd, -1);
  }
  const test::received got = test::visit(path);
  EXPECT_GE(got.fd, 0);
  ::close(got.fd);
}

TEST_F(ListenerPeer, WithoutADescriptorTheVisitorWaitsAndIsServedThen) {
  // The last two report no shortage: accept4 is retried at once.
  for (const int cause : {EMFILE, EINTR, ECONNABORTED}) {
    const auto listening = listener::create(path.c_str());
    ASSERT_TRUE(listening);
    const os::fault_scope fault({.kind = os::call::socket, .nth = 1, .error_number = cause});
    const test::received got = test::visit(path);
    EXPECT_GE(got.fd, 0) << cause;
    ::close(got.fd);
    EXPECT_EQ(fault.injected(), 1U);
    EXPECT_EQ(fault.seen(), 4U) << "accept4 twice, getsockopt, sendmsg";
  }
}

/// Lowers the limit of descriptors to the current number.
struct no_descriptor_free {
  rlimit before{};
  no_descriptor_free() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    ::close(next);
    const rlimit full{static_cast<rlim_t>(next), before.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &full), 0);
  }
  ~no_descriptor_free() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0); }
  no_descriptor_free(const no_descriptor_free&) = delete;
  no_descriptor_free& operator=(const no_descriptor_free&) = delete;
};

TEST_F(ListenerPeer, ItPausesWhenNoDescriptorIsFreeAndOnlyThen) {
  // The number of the thread's poller calls, from its start to its end, is fixed: three per wait
  // for a visitor, two per pause.
  const auto poller_calls = [&](auto visits) {
    const os::fault_scope counter({.kind = os::call::epoll});
    std::optional<listener> listening = *listener::create(path.c_str());
    visits(counter);
    listening.reset();
    return counter.seen();
  };
  const auto visit = [&] {
    const test::received got = test::visit(path);
    EXPECT_GE(got.fd, 0);
    ::close(got.fd);
  };
  const std::uint64_t first = poller_calls([](const os::fault_scope&) {});
  EXPECT_EQ(poller_calls([&](const os::fault_scope&) {
              visit();
              visit();
            }),
            first + 6);
  EXPECT_EQ(poller_calls([&](const os::fault_scope& counter) {
              visit();
              while (counter.seen() < first + 3) ::sched_yield();
              const int fd = test::new_socket();
              {
                const no_descriptor_free limit;
                ASSERT_EQ(test::connect_to(path, fd), fd);
                while (counter.seen() < first + 4) ::sched_yield();
              }
              const test::received got = test::receive(fd);
              EXPECT_GE(got.fd, 0);
              ::close(got.fd);
            }),
            first + 3 + 2 + 3 + 3);
}

TEST_F(ListenerPeer, WhileNoDescriptorIsFreeItCanBeClosed) {
  std::optional<listener> listening = *listener::create(path.c_str());
  int fd = -1;
  {
    const os::fault_scope fault(
        {.kind = os::call::socket, .nth = 1, .persistent = true, .error_number = EMFILE});
    fd = test::connect_to(path);
    ASSERT_GE(fd, 0);
    while (fault.injected() == 0) ::sched_yield();
    listening.reset();
  }
  char byte = 0;
  EXPECT_LE(::read(fd, &byte, 1), 0) << "a queued connection is closed";
  ::close(fd);
}

}  // namespace
}  // namespace bast::watch
