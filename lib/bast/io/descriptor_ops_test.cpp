// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that wait for real descriptors, on a loop over epoll.
#include "bast/io/descriptor_ops.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bast/io/epoll_backend.hpp"
#include "bast/io/time.hpp"
#include "bast/testing/local_pair.hpp"
#include "bast/testing/manual_backend.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using internal::epoll_backend;
using internal::event_loop;

class DescriptorOps : public testing::Test, protected test::local_pair {
 protected:
  DescriptorOps() {
    loop.emplace(*backend);
    event_loop::enter(&*loop);
  }
  ~DescriptorOps() override {
    event_loop::enter(nullptr);
    EXPECT_EQ(backend->watched(), 0U);
    loop.reset();
    epoll_backend::destroy(backend);
  }
  coro<> begin(std::function<void()> body) {
    coro<> made = pool.make(std::move(body)).value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }
  /// What has happened by now.
  void turn() {
    (void)loop->turn(0);
    while (ready.run() != 0) {
    }
  }
  void send(const os::descriptor& from) { EXPECT_EQ(::write(from.get(), "x", 1), 1); }
  void receive(const os::descriptor& from) {
    char byte = 0;
    EXPECT_EQ(::read(from.get(), &byte, 1), 1);
  }

  epoll_backend* backend = epoll_backend::create().value();
  std::optional<event_loop> loop;
  ready_queue ready;
  coro_pool pool = coro_pool::create().value();
};

TEST_F(DescriptorOps, AReaderWaitsForBytesAndAWriterForSpace) {
  std::vector<std::string> happened;
  std::vector<char> much(1 << 20);
  while (::write(mine.get(), much.data(), much.size()) > 0) {
  }
  auto reader = begin([&] {
    EXPECT_TRUE(perform(readable(mine.get())));
    happened.push_back("readable");
  });
  auto writer = begin([&] {
    EXPECT_TRUE(perform(writable(mine.get())));
    happened.push_back("writable");
  });
  EXPECT_EQ(backend->watched(), 2U) << "IO-4: both directions at once";
  turn();
  EXPECT_TRUE(happened.empty());
  send(peer);
  turn();
  EXPECT_EQ(happened, std::vector<std::string>{"readable"});
  while (::read(peer.get(), much.data(), much.size()) > 0) {
  }
  turn();
  EXPECT_EQ(happened, (std::vector<std::string>{"readable", "writable"}));
}

TEST_F(DescriptorOps, WhatIsReadyCommitsWithoutATurn) {
  send(peer);
  const os::descriptor file = os::open_file("/proc/self/stat", O_RDONLY).value();
  auto looks = begin([&] {
    EXPECT_TRUE(perform(readable(mine.get())));
    EXPECT_TRUE(perform(writable(mine.get())));
    EXPECT_TRUE(perform(readable(file.get())));
    EXPECT_TRUE(perform(writable(file.get())));
    EXPECT_TRUE(poll(readable(mine.get())));
    EXPECT_FALSE(poll(readable(peer.get())));
    EXPECT_TRUE(perform(timeout(readable(mine.get()), 0s))) << "O-14";
  });
  EXPECT_EQ(looks.state(), coro_state::finished);
  receive(mine);
}

TEST_F(DescriptorOps, O18_AnArmThatIsNotChosenTakesNoBytes) {
  std::optional<std::size_t> first;
  os::pipe_ends other = os::make_pipe().value();
  auto chooses = begin([&] {
    first = perform(first_ready(readable(mine.get()), readable(other.read_end.get()))).value();
  });
  send(peer);
  EXPECT_EQ(::write(other.write_end.get(), "y", 1), 1);
  turn();
  ASSERT_TRUE(first);
  EXPECT_EQ(backend->watched(), 0U) << "the other arm is watched no more";
  receive(mine);
  receive(other.read_end);
}

TEST_F(DescriptorOps, IO4_ASecondReaderIsBusyAndTheFirstIsNotDisturbed) {
  int commits = 0;
  auto first = begin([&] {
    EXPECT_TRUE(perform(readable(mine.get())));
    ++commits;
  });
  auto second = begin([&] { EXPECT_EQ(perform(readable(mine.get())).error(), errc::busy); });
  EXPECT_EQ(second.state(), coro_state::finished);
  // Both arms of one choice, too.
  auto both = begin([&] {
    const auto op = readable(peer.get());
    EXPECT_EQ(perform(choice_biased(op, op)).error(), errc::busy);
  });
  EXPECT_EQ(both.state(), coro_state::finished);
  EXPECT_EQ(backend->watched(), 1U);
  send(peer);
  turn();
  EXPECT_EQ(commits, 1);
  receive(mine);
}

TEST_F(DescriptorOps, C11_ACancelEndsTheWatchAndTheBytesStay) {
  auto source = cancel_source::create().value();
  std::optional<errc> ended;
  auto waits = begin([&] {
    const cancel_binding governed(source.token());
    ended = perform(readable(mine.get())).error().kind();
  });
  auto abandoned = begin([&] { (void)perform(readable(peer.get())); });
  EXPECT_EQ(backend->watched(), 2U);
  source.cancel();
  send(peer);
  turn();
  EXPECT_EQ(ended, errc::cancelled);
  EXPECT_TRUE(abandoned.release(abandon));
  EXPECT_EQ(backend->watched(), 0U);
  receive(mine);
}

TEST_F(DescriptorOps, APeerThatHangsUpIsReadable) {
  bool ended = false;
  auto waits = begin([&] {
    EXPECT_TRUE(perform(readable(mine.get())));
    ended = true;
  });
  peer.reset();
  turn();
  EXPECT_TRUE(ended);
}

TEST_F(DescriptorOps, EachRefusalIsTheResultOfTheOp) {
  auto fails = begin([&] {
    EXPECT_EQ(perform(readable(-1)).error().error_number(), EBADF);
    EXPECT_EQ(perform(writable(1 << 20)).error().error_number(), EBADF);
    {
      const os::fault_scope fault({.kind = os::call::allocate, .nth = 1});
      EXPECT_EQ(perform(readable(mine.get())).error(), errc::no_memory);
    }
    {
      const os::fault_scope fault({.kind = os::call::epoll, .nth = 1, .error_number = ENOSPC});
      EXPECT_EQ(perform(readable(mine.get())).error(), errc::limit);
    }
    {
      const os::fault_scope fault({.kind = os::call::epoll, .nth = 1, .error_number = EPERM});
      EXPECT_TRUE(perform(readable(mine.get()))) << "a file";
    }
  });
  EXPECT_EQ(fails.state(), coro_state::finished);
  EXPECT_EQ(backend->watched(), 0U);
}

TEST_F(DescriptorOps, WhereNoLoopWatchesAWaitIsRefused) {
  // A thread outside of a coroutine, though it is in a loop: it would not turn that.
  EXPECT_EQ(perform(readable(mine.get())).error(), errc::unsupported);
  EXPECT_TRUE(perform(writable(mine.get())));
  event_loop::enter(nullptr);
  auto fails = begin([&] { EXPECT_EQ(perform(readable(mine.get())).error(), errc::unsupported); });
  EXPECT_EQ(fails.state(), coro_state::finished);
}

TEST(DescriptorOpsWithVirtualTime, ATimeLimitAgainstADescriptorOfOneTurn) {
  test::manual_backend outside;
  event_loop loop(outside);
  event_loop::enter(&loop);
  {
    ready_queue ready;
    auto pool = coro_pool::create().value();
    std::vector<bool> got;
    auto waits = pool.make([&] {
                       for (int i = 0; i < 2; ++i) {
                         got.push_back(perform(timeout(readable(5), 10us)).has_value());
                       }
                     })
                     .value();
    EXPECT_FALSE(waits.resume().failed());
    (void)loop.turn(internal::no_deadline_ns);
    EXPECT_EQ(ready.run(), 1U);
    // Both are due: the descriptor wins, and the timer ends nothing.
    outside.advance(20'000);
    outside.make_ready(5, os::readiness::readable);
    (void)loop.turn(internal::no_deadline_ns);
    EXPECT_EQ(ready.run(), 1U);
    EXPECT_EQ(got, (std::vector<bool>{false, true}));
  }
  event_loop::enter(nullptr);
}

}  // namespace
}  // namespace bast
