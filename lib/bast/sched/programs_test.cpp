// SPDX-License-Identifier: Apache-2.0
//
// Programs run from fibers: a pinned daemon turns the epoll_adapter of its worker.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>

#include "bast/process.hpp"
#include "bast/sched.hpp"
#include "bast/testing/emulation.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

/// The adapter of this worker, and the daemon that turns it until the runtime is cancelled, and
/// then until no program is left.
class attended_adapter {
 public:
  attended_adapter() {
    bool waits = false;
    (void)spawn([this, &waits] { attend(waits); },
                {.name = "attendant", .daemon = true, .pinned = true})
        .value();
    while (!waits) (void)yield_now();
  }
  epoll_adapter& get() { return *adapter_; }

 private:
  bool wait_and_turn() {
    const auto woken = perform(timeout_at(readable(adapter_->fd()), adapter_->next_deadline()));
    EXPECT_TRUE(adapter_->turn(0ns));
    return woken || woken.error() == errc::timed_out;
  }
  void attend(bool& waits) {
    EXPECT_TRUE(adapter_->turn(0ns));
    EXPECT_EQ(adapter_->next_deadline(), never);
    waits = true;  // It does before another fiber runs.
    while (wait_and_turn()) continue;
    const cancel_binding shield{cancel_token()};
    while (!adapter_->idle()) EXPECT_TRUE(wait_and_turn());
    (void)yield_now();
    adapter_.reset();
  }

  std::unique_ptr<epoll_adapter> adapter_ = epoll_adapter::create().value();
};

class FiberPrograms : public testing::Test {
 protected:
  void SetUp() override {
    if (test::emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  }
};

TEST_F(FiberPrograms, P14_ATimeoutEndsTheWaitOfTheFiberThatTurns) {
  std::optional<attended_adapter> adapter;  // outlives its daemon
  (void)run(
      [&] {
        auto command = command::argv({"sleep", "60"});
        command.timeout(10ms);
        const auto ended = command.run(adapter.emplace().get());
        ASSERT_TRUE(ended);
        EXPECT_EQ(ended->ended_by, process_ending::timed_out);
      },
      {.workers = 1});
}

TEST_F(FiberPrograms, P14_ACancelledRuntimeStopsThem) {
  std::optional<attended_adapter> adapter;
  (void)run(
      [&] {
        bool starts = false;
        auto waits = spawn([&, &mine = adapter.emplace().get()] {
                       auto command = command::argv({"sleep", "60"});
                       starts = true;  // It waits before another fiber runs.
                       return command.run(mine).value().ended_by;
                     }).value();
        while (!starts) (void)yield_now();
        (void)runtime_handle::current().value().cancel();
        const cancel_binding shield{cancel_token()};
        EXPECT_EQ(waits.join().value(), process_ending::cancelled);
      },
      {.workers = 1});
}

}  // namespace
}  // namespace bast
