// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the tests that read from running programs and write to them: each loop, and a
// pool.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "bast/process/child.hpp"
#include "bast/testing/loop_test.hpp"
#include "bast/testing/run_child.hpp"

namespace bast::test {

inline std::string alphabet(std::size_t count) {
  std::string text(count, ' ');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

class child_pipes_test : public loop_test {
 protected:
  void TearDown() override {
    loop_test::TearDown();
    if (has_loop()) {
      EXPECT_TRUE(has_no_child());
    }
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

  coro_pool pool_ = coro_pool::create().value();
};

}  // namespace bast::test
