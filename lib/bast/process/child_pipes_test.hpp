// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the tests that read from running programs and write to them: each loop, and a
// pool.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bast/process/child.hpp"
#include "bast/testing/process_loop.hpp"
#include "bast/testing/run_child.hpp"

namespace bast::test {

enum class loop_kind { epoll, uring };

inline std::string name_of_loop(const ::testing::TestParamInfo<loop_kind>& which) {
  return which.param == loop_kind::epoll ? "epoll" : "uring";
}

inline std::string alphabet(std::size_t count) {
  std::string text(count, ' ');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

class child_pipes_test : public ::testing::TestWithParam<loop_kind> {
 protected:
  void SetUp() override {
    if (emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
    loop_ = make_loop();
    if (loop_ == nullptr) GTEST_SKIP() << "built without liburing";
    if (!loop_->missing().empty()) GTEST_SKIP() << loop_->missing();
  }
  void TearDown() override {
    if (loop_ == nullptr || !loop_->missing().empty()) return;
    loop_->machine().check_invariants();
    loop_->shut_down();
    EXPECT_TRUE(has_no_child());
  }

  /// Null if this build has no such loop.
  static std::unique_ptr<process_loop> make_loop() {
    if (GetParam() == loop_kind::epoll) return std::make_unique<epoll_process_loop>();
#if BAST_TEST_URING
    return std::make_unique<uring_process_loop>();
#else
    return nullptr;
#endif
  }
  /// Turns the loop until nothing is left to run.
  void until_ended() {
    while (loop_->machine().stats().live != 0) loop_->turn();
    loop_->turn();
  }
  /// Runs `body` in a coroutine until every program and the coroutine have ended.
  template <class F>
  void in_coroutine(F body) {
    auto c = pool_.make(std::move(body)).value();
    (void)c.resume();
    while (c.state() == coro_state::suspended) loop_->turn();
    EXPECT_TRUE(c.returned());
  }
  child_process spawn(command& c) { return c.spawn(loop_->driver()).value(); }
  /// Everything up to the end of a stream.
  static std::string all_of(child_process& runs, output_stream which, std::size_t at_once = 100) {
    std::string text;
    std::vector<std::byte> buffer(at_once);
    for (;;) {
      const auto count = runs.read(which, buffer);
      if (!count) ADD_FAILURE() << count.error().message();
      if (count.value_or(0) == 0) return text;
      text.append(reinterpret_cast<const char*>(buffer.data()), *count);
    }
  }
  static std::string read_once(child_process& runs) {
    std::byte buffer[100];
    const auto count = runs.read(output_stream::output, buffer);
    if (!count) return count.error().message();
    return {reinterpret_cast<const char*>(buffer), *count};
  }

  std::unique_ptr<process_loop> loop_;
  coro_pool pool_ = coro_pool::create().value();
};

}  // namespace bast::test
