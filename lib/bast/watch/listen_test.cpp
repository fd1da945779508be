// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/listen.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bast/testing/baseline.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/visitor.hpp"
#include "bast/watch/memory_image.hpp"
#include "bast/watch/registry.hpp"
#include "bast/watch/site.hpp"

namespace bast::watch {
namespace {

struct Listener : test::socket_directory {};

using test::received;

TEST_F(Listener, AVisitorGetsTheRegistryAtItsAddresses) {
  ASSERT_TRUE(open_registry());
  site_entry* const entry = take_site({site_kind::label, "visited", 0, 0}, nullptr, 1);
  add(*entry, {.uses = 3, .is_sample = true, .depth = 500});
  const auto listening = listener::create(path.c_str());
  ASSERT_TRUE(listening) << listening.error().message();
  EXPECT_EQ(listening->path(), path);
  const received got = test::visit(path);
  EXPECT_EQ(got.greeting, "BASTWTCH");
  ASSERT_GE(got.fd, 0);
  const std::string all = test::contents_of(got.fd);
  memory_image_header head{};
  ASSERT_GE(all.size(), sizeof head);
  std::memcpy(&head, all.data(), sizeof head);
  EXPECT_EQ(std::memcmp(head.magic, memory_image_magic, sizeof head.magic), 0);
  EXPECT_EQ(head.version, memory_image_version);
  const auto at = reinterpret_cast<std::uintptr_t>(entry);
  std::size_t offset = sizeof head;
  bool seen = false;
  bool anchor_seen = false;
  for (std::uint32_t i = 0; i < head.pieces; ++i) {
    memory_image_piece piece{};
    ASSERT_LE(offset + sizeof piece, all.size());
    std::memcpy(&piece, all.data() + offset, sizeof piece);
    offset += sizeof piece;
    ASSERT_LE(offset + internal::round_up(piece.bytes, 8), all.size());
    anchor_seen |= head.anchor == piece.address;
    if (at >= piece.address && at + sizeof(site_entry) <= piece.address + piece.bytes) {
      site_entry copy{};
      std::memcpy(&copy, all.data() + offset + (at - piece.address), sizeof copy);
      EXPECT_STREQ(copy.where, "visited");
      EXPECT_EQ(copy.uses, 3U);
      seen = true;
    }
    offset += internal::round_up(piece.bytes, 8);
  }
  EXPECT_EQ(offset, all.size());
  EXPECT_TRUE(seen);
  EXPECT_TRUE(anchor_seen);
  EXPECT_LT(::pwrite(got.fd, "x", 1, 0), 0) << "the copy is sealed";
  ::close(got.fd);
  give(entry);
}

TEST_F(Listener, ManyVisitorsComeOneAfterTheOther) {
  const auto listening = listener::create(path.c_str());
  ASSERT_TRUE(listening);
  for (int i = 0; i < 20; ++i) {
    const received got = test::visit(path);
    ASSERT_GE(got.fd, 0);
    ::close(got.fd);
  }
}

TEST_F(Listener, ItsEndLeavesNothing) {
  ASSERT_TRUE(open_registry());
  {
    ASSERT_TRUE(listener::create(path.c_str()));
  }  // The first thread leaves the C library's cache.
  const test::leak_baseline before;
  {
    auto listening = listener::create(path.c_str());
    ASSERT_TRUE(listening);
    listener moved = std::move(*listening);
    const received got = test::visit(path);
    ::close(got.fd);
  }
  EXPECT_EQ(before.differences(), "");
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the socket's file is removed";
}

TEST_F(Listener, AFileOfADeadProcessIsReplaced) {
  const int stale = ::open(path.c_str(), O_CREAT | O_CLOEXEC, 0600);
  ::close(stale);
  const auto listening = listener::create(path.c_str());
  ASSERT_TRUE(listening);
  const received got = test::visit(path);
  EXPECT_GE(got.fd, 0);
  ::close(got.fd);
}

TEST_F(Listener, AForkedChildLeavesItsParentsDoorOpen) {
  auto listening = listener::create(path.c_str());
  ASSERT_TRUE(listening);
  const pid_t child = ::fork();
  if (child == 0) {
    bool named = false;
    {
      const listener ends = std::move(*listening);
      named = ends.path() == path && *listening->path() == '\0';
    }
    ::_exit(named ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const received got = test::visit(path);
  EXPECT_GE(got.fd, 0);
  ::close(got.fd);
}

TEST_F(Listener, ErrorsNameWhatIsWrong) {
  const auto too_long = listener::create((directory + std::string(200, 'x')).c_str());
  ASSERT_FALSE(too_long);
  EXPECT_EQ(test::kind_of(too_long), errc::invalid);
  const auto nowhere = listener::create("/nonexistent/directory/door.sock");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(test::kind_of(nowhere), errc::io);
}

TEST_F(Listener, APlaceThatOthersCanEnterIsRefused) {
  ASSERT_EQ(::chmod(directory.c_str(), 0755), 0);
  const auto open_to_all = os::private_directory(directory.c_str());
  ASSERT_FALSE(open_to_all);
  EXPECT_EQ(test::kind_of(open_to_all), errc::invalid);
  ASSERT_EQ(::chmod(directory.c_str(), 0700), 0);
  EXPECT_TRUE(os::private_directory(directory.c_str()));
  ASSERT_EQ(::symlink(directory.c_str(), (directory + "/link").c_str()), 0);
  EXPECT_FALSE(os::private_directory((directory + "/link").c_str()));
  ::unlink((directory + "/link").c_str());
}

TEST_F(Listener, TheDefaultPlaceIsUnderTheRunTimeDirectory) {
  ASSERT_EQ(::setenv("XDG_RUNTIME_DIR", directory.c_str(), 1), 0);
  {
    const auto listening = listener::create();
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_EQ(listening->path(),
              directory + "/bast-stacks/" + std::to_string(::getpid()) + ".sock");
  }
  ::unsetenv("XDG_RUNTIME_DIR");
  ::rmdir((directory + "/bast-stacks").c_str());
}

TEST_F(Listener, X6_EveryCallThatFailsLeavesNothing) {
  {
    ASSERT_TRUE(listener::create(path.c_str()));
  }
  const test::leak_baseline before;
  for (const os::call kind : {os::call::socket, os::call::pipe, os::call::epoll, os::call::allocate,
                              os::call::memory_file, os::call::write}) {
    for (std::uint64_t nth = 1; nth <= 6; ++nth) {
      const os::fault_scope fault({.kind = kind, .nth = nth, .error_number = EMFILE});
      const auto listening = listener::create(path.c_str());
      if (!listening) continue;
      const received got = test::visit(path);
      if (got.fd >= 0) ::close(got.fd);
    }
  }
  EXPECT_EQ(before.differences(), "");
}

}  // namespace
}  // namespace bast::watch
