// SPDX-License-Identifier: Apache-2.0
//
// A listener's socket, on a scripted kernel: the requests to it, and the refusals.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <cerrno>

#include "model/test_record_text.hpp"
#include "read/listener.hpp"
#include "read/testing/fake_listener.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/faulty_calls.hpp"
#include "read/testing/open_descriptors.hpp"

namespace bast_stacks {
namespace {

using test::error_text;
using testing::answered_call;
using testing::called;
using testing::fake_listener;
using testing::fake_registry;
using testing::faulty_call;
using testing::open_descriptors;

int sealed_memory_image(fake_registry& fake) {
  const std::vector<std::byte> bytes = fake.memory_image();
  const int fd = ::memfd_create("memory_image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), std::ssize(bytes));
  EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
  return fd;
}

TEST(ListenerAnswers, ItIsAskedOnceAndForFiveSecondsAtMost) {
  fake_registry fake;
  const int fd = sealed_memory_image(fake);
  const long before = open_descriptors();
  {
    const fake_listener server("BASTWTCH", fd);
    std::vector<std::string> said;
    const answered_call sockets(called::socket, [&](const auto& given) -> std::optional<long> {
      said.push_back(fmt::format("socket {} {} {}", given[0] == AF_UNIX,
                                 given[1] == (SOCK_STREAM | SOCK_CLOEXEC), given[2]));
      return std::nullopt;
    });
    const answered_call options(called::setsockopt, [&](const auto& given) -> std::optional<long> {
      const auto& limit = *reinterpret_cast<const timeval*>(given[3]);
      said.push_back(fmt::format("{} {} {}.{} {}", given[1] == SOL_SOCKET,
                                 given[2] == SO_RCVTIMEO   ? "receive"
                                 : given[2] == SO_SNDTIMEO ? "send"
                                                           : "?",
                                 limit.tv_sec, limit.tv_usec, given[4] == sizeof limit));
      return std::nullopt;
    });
    const answered_call receives(called::recvmsg, [&](const auto& given) -> std::optional<long> {
      said.push_back(fmt::format("receive {}", given[2] == (MSG_CMSG_CLOEXEC | MSG_WAITALL)));
      return std::nullopt;
    });
    EXPECT_EQ(error_text(ask_listener_at(server.path(), 0)), "fine");
    EXPECT_EQ(fmt::format("{}", fmt::join(said, ", ")),
              "socket true true 0, true receive 5.0 true, true send 5.0 true, receive true");
  }
  EXPECT_EQ(open_descriptors(), before);
  ::close(fd);
}

TEST(ListenerAnswers, AnInterruptIsNoAnswer) {
  fake_registry fake;
  const int fd = sealed_memory_image(fake);
  {
    const fake_listener server("BASTWTCH", fd);
    const faulty_call interrupted(called::recvmsg, {.times = 3, .error = EINTR});
    EXPECT_EQ(error_text(ask_listener_at(server.path(), 0)), "fine");
    EXPECT_EQ(interrupted.calls(), 4);
  }
  {
    const fake_listener server("BASTWTCH", fd);
    const faulty_call too_late(called::recvmsg, {.times = 9, .error = EAGAIN});
    EXPECT_EQ(error_text(ask_listener_at(server.path(), 0)),
              "3 " + server.path() + " did not send a registry");
    EXPECT_EQ(too_late.calls(), 1);
  }
  ::close(fd);
}

TEST(ListenerAnswers, OneDescriptorIsWantedAndNoneIsKept) {
  fake_registry fake;
  const int fd = sealed_memory_image(fake);
  for (const std::size_t times : {2U, 3U, 100U}) {
    const std::string path = testing::fake_listener_path();
    const long before = open_descriptors();
    {
      const fake_listener server("BASTWTCH", fd, path, times);
      EXPECT_EQ(error_text(ask_listener_at(path, 0)), "3 " + path + " did not send a registry");
    }
    EXPECT_EQ(open_descriptors(), before) << times;
  }
  ::close(fd);
}

TEST(ListenerAnswers, WithoutASocketOrItsOwnerNothingIsBelieved) {
  const std::string path = testing::fake_listener_path();
  for (const int error : {EMFILE, ENFILE, EACCES}) {
    const faulty_call none(called::socket, {.times = 1, .error = error});
    EXPECT_EQ(error_text(ask_listener_at(path, 0)),
              fmt::format("3 no socket: {}", std::strerror(error)));
  }
  for (const int error : {EACCES, ECONNREFUSED, EAGAIN}) {
    const faulty_call closed(called::connect, {.times = 1, .error = error});
    EXPECT_EQ(error_text(ask_listener_at(path, 0)),
              fmt::format("3 no listener at {}: {}", path, std::strerror(error)));
  }
  fake_registry fake;
  const int fd = sealed_memory_image(fake);
  const auto with_owner = [&](const answered_call::answer& owner) {
    const fake_listener server("BASTWTCH", fd);
    const answered_call owners(called::getsockopt, owner);
    return error_text(ask_listener_at(server.path(), 77));
  };
  EXPECT_EQ(with_owner([](const auto&) { return -ENOPROTOOPT; }),
            "3 " + path + " belongs to process 0");
  const auto is = [](pid_t pid) {
    return [pid](const auto& given) {
      EXPECT_EQ(given[1], SOL_SOCKET);
      EXPECT_EQ(given[2], SO_PEERCRED);
      EXPECT_EQ(*reinterpret_cast<socklen_t*>(given[4]), sizeof(ucred));
      reinterpret_cast<ucred*>(given[3])->pid = pid;
      return 0;
    };
  };
  EXPECT_EQ(with_owner(is(77)), "fine");
  EXPECT_EQ(with_owner(is(78)), "3 " + path + " belongs to process 78");
  ::close(fd);
}

}  // namespace
}  // namespace bast_stacks
