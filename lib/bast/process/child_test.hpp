// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the tests of child_process: a loop and a pool.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "bast/process.hpp"
#include "bast/testing/emulation.hpp"

namespace bast::test {

class child_process_test : public ::testing::Test {
 protected:
  void SetUp() override {
    if (emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  }
  void TearDown() override { EXPECT_TRUE(loop_->shut_down()); }

  /// Runs `body` in a coroutine until it has ended.
  template <class F>
  void in_coroutine(F body) {
    auto c = pool_.make(std::move(body));
    ASSERT_TRUE(c);
    (void)c->resume();
    while (c->state() == coro_state::suspended) ASSERT_TRUE(loop_->turn(std::chrono::hours(1)));
    EXPECT_TRUE(c->returned());
  }
  void until_idle() {
    while (!loop_->idle()) ASSERT_TRUE(loop_->turn(std::chrono::hours(1)));
  }
  /// Reads one line from our end of a pipe.
  static std::string line_of(const os::descriptor& fd) {
    std::string line;
    for (char c = 0;;) {
      pollfd wait{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 60'000) != 1 || ::read(fd.get(), &c, 1) != 1 || c == '\n') return line;
      line += c;
    }
  }

  std::unique_ptr<epoll_adapter> loop_ = epoll_adapter::create().value();
  coro_pool pool_ = coro_pool::create().value();
};

}  // namespace bast::test
