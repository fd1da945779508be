// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the tests of child_process: a loop and a pool.
#pragma once

#include <gtest/gtest.h>
#include <chrono>
#include <cstddef>
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
  /// Reads one line of its output. In a coroutine.
  static std::string line_of(child_process& runs) {
    std::string line;
    for (std::byte byte{};;) {
      const auto count = runs.read(output_stream::output, {&byte, 1});
      if (!count) ADD_FAILURE() << count.error().message();
      if (count.value_or(0) == 0 || byte == std::byte{'\n'}) return line;
      line += static_cast<char>(byte);
    }
  }

  std::unique_ptr<epoll_adapter> loop_ = epoll_adapter::create().value();
  coro_pool pool_ = coro_pool::create().value();
};

}  // namespace bast::test
