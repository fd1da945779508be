// SPDX-License-Identifier: Apache-2.0
//
// The fixture of tests that run under each loop that supervises processes (P-23):
//
//   class Mine : public bast::test::loop_test {};
//   INSTANTIATE_TEST_SUITE_P(Loops, Mine, bast::test::each_loop, bast::test::name_of_loop);
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "bast/testing/emulation.hpp"
#include "bast/testing/process_loop.hpp"

namespace bast::test {

enum class loop_kind { epoll, uring };

inline const auto each_loop = ::testing::Values(loop_kind::epoll, loop_kind::uring);

inline std::string name_of_loop(const ::testing::TestParamInfo<loop_kind>& which) {
  return which.param == loop_kind::epoll ? "epoll" : "uring";
}

class loop_test : public ::testing::TestWithParam<loop_kind> {
 protected:
  void SetUp() override {
    if (emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
    loop_ = make_loop();
    if (loop_ == nullptr) GTEST_SKIP() << "built without liburing";
    if (!loop_->missing().empty()) GTEST_SKIP() << loop_->missing();
  }
  void TearDown() override {
    if (!has_loop()) return;
    loop_->machine().check_invariants();
    loop_->shut_down();
    EXPECT_TRUE(loop_->machine().idle());
    EXPECT_EQ(loop_->machine().stats().unreaped, 0U);
  }

  /// False if the test is skipped.
  bool has_loop() const { return loop_ != nullptr && loop_->missing().empty(); }
  /// Another one of the kind; null if this build has none.
  static std::unique_ptr<process_loop> make_loop() {
#if BAST_TEST_URING
    if (GetParam() == loop_kind::uring) return std::make_unique<uring_process_loop>();
#else
    if (GetParam() == loop_kind::uring) return nullptr;
#endif
    return std::make_unique<epoll_process_loop>();
  }

  std::unique_ptr<process_loop> loop_;
};

}  // namespace bast::test
