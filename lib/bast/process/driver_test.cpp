// SPDX-License-Identifier: Apache-2.0
//
// The common parts of all drivers, with one that does nothing by itself.
#include "bast/process/driver.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <optional>

#include "bast/testing/baseline.hpp"

namespace bast {
namespace {

class idle_driver final : public process_driver {
 public:
  idle_driver(os::descriptor wake, std::unique_ptr<process_machine> machine) noexcept
      : process_driver(std::move(wake), std::move(machine)) {}
  idle_driver(const idle_driver&) = delete;
  idle_driver& operator=(const idle_driver&) = delete;
  ~idle_driver() { machine_->shut_down(); }
  [[nodiscard]] static result<std::unique_ptr<idle_driver>> create(std::size_t processes_max) {
    auto wake = os::make_event();
    if (!wake) return std::unexpected(wake.error());
    auto machine = process_machine::create(
        {.processes_max = processes_max, .magic = 0x17, .wake_fd = wake->get()});
    if (!machine) return std::unexpected(machine.error());
    std::unique_ptr<idle_driver> made(os::make<idle_driver>(std::move(*wake), std::move(*machine)));
    if (made == nullptr) return fail(errc::no_memory, "idle_driver.create", "no memory");
    return made;
  }
  int changes = 0;

 private:
  void machine_changed() noexcept override { ++changes; }
};

/// The eventfd of a machine: the target of its first poll.
int wake_of(process_driver& driver) {
  const machine_operation* const first = driver.machine().next();
  EXPECT_NE(first, nullptr);
  return first == nullptr ? -1 : first->fd;
}

bool wake_is_readable(int fd) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) == 1;
}

TEST(ProcessDriver, P23_AQueueWithoutProcessesIsNoDriver) {
  const auto driver = idle_driver::create(1).value();
  const ready_queue later;
  EXPECT_EQ(process_driver::of_this_thread(), driver.get());
}

TEST(ProcessDriver, P23_TheLatestThatLivesIsTheThreadsInWhateverOrderTheyEnd) {
  constexpr int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders) {
    std::unique_ptr<idle_driver> all[3];
    EXPECT_EQ(process_driver::of_this_thread(), nullptr);
    for (auto& one : all) {
      one = idle_driver::create(1).value();
      EXPECT_EQ(process_driver::of_this_thread(), one.get());
    }
    for (const int ends : order) {
      all[ends].reset();
      process_driver* latest = nullptr;
      for (auto& one : all) latest = one == nullptr ? latest : one.get();
      EXPECT_EQ(process_driver::of_this_thread(), latest);
    }
  }
}

TEST(ProcessDriver, X6_OneThatCouldNotBeCreatedLeavesNothing) {
  const test::leak_baseline before;
  {
    for (const int error_number : {EMFILE, ENFILE, ENOMEM}) {
      const os::fault_scope fault(
          {.kind = os::call::event, .nth = 1, .error_number = error_number});
      const auto refused = idle_driver::create(1);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().error_number(), error_number);
    }
    for (std::uint64_t nth = 1; nth <= 3; ++nth) {
      const os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
      EXPECT_EQ(idle_driver::create(1).error(), errc::no_memory);
    }
    EXPECT_EQ(idle_driver::create(0).error(), errc::invalid);
    EXPECT_EQ(process_driver::of_this_thread(), nullptr);
    EXPECT_EQ(before.differences(), "");
    const auto driver = idle_driver::create(1);
    ASSERT_TRUE(driver);
    EXPECT_EQ(process_driver::of_this_thread(), driver->get());
  }
  EXPECT_EQ(process_driver::of_this_thread(), nullptr);
  EXPECT_EQ(before.differences(), "");
}

TEST(ProcessDriver, P23_EveryCallOfTheOwnerReportsToTheLoopAndSetsTheTime) {
  const auto owner = idle_driver::create(1).value();
  idle_driver& driver = *owner;
  EXPECT_EQ(driver.machine().next()->user_data >> 56, 0x17U);
  const std::uint64_t before = driver.machine().digest();
  EXPECT_EQ(driver.start({}).error(), errc::invalid);
  EXPECT_EQ(driver.changes, 1);
  const std::uint64_t after = driver.machine().digest();
  EXPECT_NE(before, after) << "only the time has changed";
  EXPECT_EQ(driver.cancel({.slot = 0, .generation = 1}).error(), errc::stale_handle);
  EXPECT_EQ(driver.changes, 2);
  EXPECT_NE(driver.machine().digest(), after);
}

TEST(ProcessDriver, IO9_TheFirstRequestMakesTheWakeReadable) {
  const auto owner = idle_driver::create(1).value();
  idle_driver& driver = *owner;
  const int wake = wake_of(driver);
  EXPECT_FALSE(wake_is_readable(wake));
  driver.cancel_from_anywhere({.slot = 0, .generation = 1});
  EXPECT_TRUE(wake_is_readable(wake));
  std::uint64_t count = 0;
  ASSERT_EQ(os::read_some(wake, std::as_writable_bytes(std::span(&count, 1))).value(), 8U);
  EXPECT_EQ(count, 1U);
  driver.cancel_from_anywhere({.slot = 0, .generation = 2});
  EXPECT_FALSE(wake_is_readable(wake)) << "the loop has not read it yet";
  driver.machine().tick(internal::time_of(1));
  driver.cancel_from_anywhere({.slot = 0, .generation = 3});
  EXPECT_TRUE(wake_is_readable(wake));
  EXPECT_EQ(driver.changes, 0) << "only the owner does that";
}

}  // namespace
}  // namespace bast
