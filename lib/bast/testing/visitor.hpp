// SPDX-License-Identifier: Apache-2.0
//
// A client of a listener (watch/listen.hpp), and a parser of the memory image that it receives.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "bast/watch/memory_image.hpp"
#include "bast/watch/registry.hpp"

namespace bast::test {

/// A new directory for a socket.
class socket_directory : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/bast.XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory = name;
    path = directory + "/door.sock";
    ASSERT_TRUE(watch::open_registry());
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  std::string directory;
  std::string path;
};

struct received {
  std::string greeting;
  int fd = -1;
  bool connected = false;
};

inline int new_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

/// Connects the socket `fd` to the one at `path`. Returns `fd`, or -1 on failure.
inline int connect_to(const std::string& path, int fd = new_socket()) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

/// Receives from a connection and closes it; no descriptor if the connection just ends.
inline received receive(int fd) {
  received got;
  if (fd < 0) return got;
  got.connected = true;
  char text[64];
  iovec part{text, sizeof text};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  msghdr whole{};
  whole.msg_iov = &part;
  whole.msg_iovlen = 1;
  whole.msg_control = space;
  whole.msg_controllen = sizeof space;
  const ssize_t size = ::recvmsg(fd, &whole, MSG_CMSG_CLOEXEC);
  if (size > 0) got.greeting.assign(text, static_cast<std::size_t>(size));
  // A reset connection leaves the control data unchanged.
  const cmsghdr* const extra = size > 0 ? CMSG_FIRSTHDR(&whole) : nullptr;
  if (extra != nullptr) {
    std::memcpy(&got.fd, CMSG_DATA(extra), sizeof got.fd);
  }
  ::close(fd);
  return got;
}

inline received visit(const std::string& path) { return receive(connect_to(path)); }

inline std::string contents_of(int fd) {
  struct stat file{};
  EXPECT_EQ(::fstat(fd, &file), 0);
  std::string all(static_cast<std::size_t>(file.st_size), '\0');
  EXPECT_EQ(::pread(fd, all.data(), all.size(), 0), file.st_size);
  return all;
}

struct piece {
  std::uint64_t address = 0;
  std::string bytes;
};

/// A parsed memory_image; every byte of it must belong to a known part.
struct opened_memory_image {
  watch::memory_image_header head{};
  std::vector<piece> pieces;

  explicit opened_memory_image(int fd) {
    const std::string all = contents_of(fd);
    std::size_t at = sizeof head;
    if (all.size() < at) {
      ADD_FAILURE() << "no header";
      return;
    }
    std::memcpy(&head, all.data(), sizeof head);
    for (std::uint32_t i = 0; i < head.pieces; ++i) {
      watch::memory_image_piece next{};
      if (all.size() - at < sizeof next) break;
      std::memcpy(&next, all.data() + at, sizeof next);
      at += sizeof next;
      if (all.size() - at < next.bytes) break;
      pieces.push_back({next.address, all.substr(at, next.bytes)});
      at += bast::internal::round_up(next.bytes, 8);
    }
    EXPECT_EQ(pieces.size(), head.pieces);
    // The remains of an unreadable piece may follow the last one.
    EXPECT_LE(at, all.size());
    end = at;
    size = all.size();
  }

  /// The addresses and sizes of the pieces, in order.
  std::vector<std::pair<std::uint64_t, std::size_t>> places() const {
    std::vector<std::pair<std::uint64_t, std::size_t>> all;
    for (const piece& each : pieces) all.emplace_back(each.address, each.bytes.size());
    return all;
  }
  std::size_t end = 0;
  std::size_t size = 0;
};

}  // namespace bast::test
