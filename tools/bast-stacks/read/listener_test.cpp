// SPDX-License-Identifier: Apache-2.0
#include "read/listener.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "read/collect.hpp"
#include "read/modules.hpp"
#include "read/testing/fake_listener.hpp"
#include "read/testing/fake_registry.hpp"

namespace bast_stacks {
namespace {

using testing::fake_listener;
using testing::fake_listener_path;
using testing::fake_registry;

int file_of(std::span<const std::byte> bytes, bool sealed) {
  const int fd = ::memfd_create("memory_image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const int seals = sealed ? F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW : 0;
  EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, seals), 0);
  return fd;
}

std::string error_of(std::string_view greeting, int fd, pid_t pid = 0) {
  const fake_listener server(greeting, fd);
  const auto answer = ask_listener_at(server.path(), pid);
  return answer ? "fine" : answer.error().what;
}

TEST(Listener, WhatItSendsIsReadLikeTheProcess) {
  fake_registry fake;
  fake.use(2, 1, 3000);
  const int fd = file_of(fake.memory_image(true), true);
  {
    const fake_listener server("BASTWTCH", fd);
    const auto answer = ask_listener_at(server.path(), ::getpid());
    ASSERT_TRUE(answer) << answer.error().what;
    found_modules found;
    found.anchors = {answer->anchor};
    const auto registries = find_registries(found, *answer->memory, "it");
    ASSERT_TRUE(registries);
    snapshot seen;
    ASSERT_TRUE(collect(*answer->memory, *registries, {}, seen));
    ASSERT_EQ(seen.stacks.size(), 1U);
    EXPECT_EQ(seen.stacks[0].depth, 3000U);
  }
  ::close(fd);
}

TEST(Listener, WhoeverItIsNothingElseIsBelieved) {
  fake_registry fake;
  const int good = file_of(fake.memory_image(), true);
  const int unsealed = file_of(fake.memory_image(), false);
  const int garbage = file_of(std::as_bytes(std::span("garbage")), true);
  const std::string path = fake_listener_path();
  EXPECT_EQ(error_of("BASTWTCH", good), "fine");
  EXPECT_EQ(error_of("BASTWTCH", good, ::getpid()), "fine");
  for (const char* const words : {"", "BASTWTCH", "BASTWTC", "BASTWTCHBASTWTCH", "B"})
    EXPECT_EQ(error_of(words, -1), path + " did not send a registry") << words;
  for (const char* const words : {"HELLO123", "BASTWTCI", "BASTWTC"})
    EXPECT_EQ(error_of(words, good), path + " did not send a registry") << words;
  EXPECT_EQ(error_of("BASTWTCHmore", good), "fine");
  EXPECT_EQ(error_of("BASTWTCH", unsealed), path + " sent a file that is not sealed");
  EXPECT_EQ(error_of("BASTWTCH", garbage),
            "what the process sent is damaged: it does not begin with BASTCAPS");
  EXPECT_EQ(error_of("BASTWTCH", good, ::getpid() + 1),
            fmt::format("{} belongs to process {}", path, ::getpid()));
  for (const int seals :
       {F_SEAL_WRITE | F_SEAL_SHRINK, F_SEAL_WRITE | F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_GROW}) {
    const int fd = file_of(fake.memory_image(), false);
    EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, seals), 0);
    EXPECT_EQ(error_of("BASTWTCH", fd), path + " sent a file that is not sealed") << seals;
    ::close(fd);
  }
  // Only a memfd has seals.
  const int program = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(error_of("BASTWTCH", program), path + " sent a file that is not sealed");
  ::close(program);
  EXPECT_EQ(ask_listener_at("/nowhere/1.sock", 0).error().what,
            "no listener at /nowhere/1.sock: No such file or directory");
  constexpr std::size_t most = sizeof(sockaddr_un::sun_path);
  const std::string long_path = "/" + std::string(most - 1, 'x');
  EXPECT_EQ(ask_listener_at(long_path, 0).error().what, long_path + " is too long");
  const std::string fitting = "/" + std::string(most - 2, 'x');
  EXPECT_EQ(ask_listener_at(fitting, 0).error().what,
            "no listener at " + fitting + ": No such file or directory");
  for (const int fd : {good, unsealed, garbage}) ::close(fd);
}

}  // namespace
}  // namespace bast_stacks
