// SPDX-License-Identifier: Apache-2.0
//
// Two connected sockets of this process, for fixtures of what waits for descriptors.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "bast/os.hpp"

namespace bast::test {

struct local_pair {
  local_pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    mine = os::descriptor(ends[0]);
    peer = os::descriptor(ends[1]);
  }
  static void send(int from, std::string_view what = "x") {
    EXPECT_EQ(::write(from, what.data(), what.size()), static_cast<ssize_t>(what.size()));
  }
  /// At least a byte, and whatever is there.
  static void receive(int from) {
    char space[64];
    EXPECT_GT(::read(from, space, sizeof space), 0);
  }

  os::descriptor mine, peer;
};

}  // namespace bast::test
