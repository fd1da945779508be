// SPDX-License-Identifier: Apache-2.0
//
// IO-15: a host that forks while it supervises processes. In the child every function fails with
// `forked` and changes nothing of the parent's, however the child exits; the parent's loop
// continues.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <memory>

#include <cstdlib>
#include <optional>
#include <thread>

#include "bast/coro.hpp"
#include "bast/process.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/follow.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/run_child.hpp"

#if BAST_TEST_URING
#include <liburing.h>
#endif

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;

/// A host with a loop in which a coroutine waits for a program that runs until it is cancelled.
struct waiting_host {
  const std::unique_ptr<epoll_adapter> loop_owner =
      epoll_adapter::create({.processes_max = 4}).value();
  epoll_adapter& loop = *loop_owner;
  coro_pool pool = *coro_pool::create();
  cancel_source source = *cancel_source::create();
  coro<> job = *pool.acquire();
  process_ending ended_by = process_ending::exited;
  bool back = false;

  waiting_host() {
    EXPECT_FALSE(job.start([this] {
                      auto c = child({"hang"});
                      c.out(to::capture{}).cancelled_by(source.token());
                      const auto ended = c.run(loop);
                      back = ended.has_value();
                      if (ended) ended_by = ended->ended_by;
                    })
                     .failed());
    EXPECT_FALSE(loop.idle());
  }
};

/// The state that the static destructors find in a child that exits with `exit`.
struct leftover {
  waiting_host* host = nullptr;
  ~leftover() { delete host; }
};
leftover left_to_exit;

process_start some_child() {
  process_start out;
  out.pid = 1;
  out.pidfd = 0;
  return out;
}

/// A host that has just forked still receives another thread's cancel, and the end.
void expect_alive(waiting_host& host) {
  std::thread other([&] { host.source.cancel(); });
  while (!host.loop.idle()) ASSERT_TRUE(host.loop.turn(1h));
  other.join();
  EXPECT_TRUE(host.back);
  EXPECT_EQ(host.ended_by, process_ending::cancelled);
  EXPECT_TRUE(test::has_no_child());
}

class ForkedHost : public testing::Test {
 protected:
  void SetUp() override {
    if (test::emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  }
};

TEST_F(ForkedHost, IO15_EveryOperationAnswersForked) {
  waiting_host host;
  const int status = test::in_child([&] {
    const auto is_forked = [](const auto& answer) {
      return !answer.has_value() && answer.error() == errc::forked;
    };
    epoll_adapter& loop = host.loop;
    if (!is_forked(loop.turn(1h))) return 1;
    if (!is_forked(loop.shut_down())) return 2;
    if (!is_forked(loop.has_room())) return 3;
    if (!is_forked(test::follow(loop, some_child()))) return 4;
    if (!is_forked(loop.cancel({.slot = 0, .generation = 1}))) return 5;
    std::byte some[1];
    const process_id first{.slot = 0, .generation = 1};
    if (!is_forked(loop.machine().take(first, output_stream::output, some))) return 7;
    if (!loop.idle() || loop.next_deadline() != never) return 8;
    // Its machine, called directly.
    process_machine& machine = loop.machine();
    const std::uint64_t before = machine.digest();
    if (!is_forked(machine.has_room())) return 12;
    if (!is_forked(machine.start(some_child()))) return 13;
    if (!is_forked(machine.cancel(first))) return 14;
    if (machine.request_cancel(first)) return 15;
    machine.tick(internal::time_of(1));
    machine.complete(1, 0);
    if (machine.digest() != before || machine.stats().started != 1) return 16;
    if (loop.machine().next() != nullptr) return 9;
    // A command belongs to no process until it is started: only the loop is the parent's.
    auto c = child({"exit", "0"});
    if (!is_forked(c.start(loop, nullptr, nullptr)) || c.started()) return 10;
    host.source.cancel();  // reaches the coroutine's command, which does not write to the eventfd
    loop.cancel_from_anywhere(first);
    return test::has_no_child() ? 0 : 11;
  });
  EXPECT_EQ(status, 0);
  pollfd wake{.fd = host.loop.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wake, 1, 0), 0) << "the child woke its parent";
  expect_alive(host);
}

TEST_F(ForkedHost, IO15_AChildMayHaveALoopOfItsOwn) {
  waiting_host host;
  const int status = test::in_child([&] {
    {
      const auto created = epoll_adapter::create({.processes_max = 4});
      if (!created || process_driver::of_this_thread() != created->get()) return 1;
      epoll_adapter& own = **created;
      auto job = *host.pool.acquire();  // the forking thread's pool is unchanged
      std::optional<process_result> seen;
      if (job.start([&] {
               auto c = child({"out", "3"});
               c.out(to::capture{});
               auto ended = c.run();
               if (ended) seen.emplace(std::move(*ended));
             })
              .failed()) {
        return 2;
      }
      while (!own.idle()) {
        if (!own.turn(1h)) return 3;
      }
      if (!seen || seen->output.bytes.text() != "abc") return 4;
    }
    // Now the latest is the parent's again.
    bool forked = false;
    auto job = *host.pool.acquire();
    (void)job.start([&] {
      auto c = child({"exit", "0"});
      const auto ended = c.run();
      forked = !ended && ended.error() == errc::forked;
    });
    return forked ? 0 : 5;
  });
  EXPECT_EQ(status, 0);
  expect_alive(host);
}

TEST_F(ForkedHost, IO15_AChildThatDestroysItAllLeavesTheParentAlone) {
  auto host = std::make_unique<waiting_host>();
  const auto destroy = [&] {
    host.reset();
    return process_driver::of_this_thread() == nullptr ? 0 : 1;
  };
  EXPECT_EQ(test::in_child(destroy), 0);
  expect_alive(*host);
}

TEST_F(ForkedHost, IO15_AChildMayDestroyTheLoopBeforeWhoWaitsInIt) {
  auto loop = epoll_adapter::create({.processes_max = 4}).value();
  coro_pool pool = *coro_pool::create();
  auto job = *pool.acquire();
  bool back = false;
  ASSERT_FALSE(job.start([&] {
                    auto c = child({"exit", "0"});
                    back = c.run().has_value();
                  })
                   .failed());
  const auto destroy = [&] {
    loop.reset();
    (void)job.release();  // unwinds
    return 0;
  };
  EXPECT_EQ(test::in_child(destroy), 0);
  while (!loop->idle()) ASSERT_TRUE(loop->turn(1h));
  EXPECT_TRUE(back);
}

/// A child that exits by `leave` and must have exit status `status`.
template <class Leave>
void fork_and(waiting_host& host, Leave leave, bool (*expected)(int status)) {
  (void)std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_DUMPABLE, 0);  // no core, however it ends
    leave();
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(expected(status)) << status;
  expect_alive(host);
}
bool ended_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

TEST_F(ForkedHost, IO15_AChildLeavesByExit) {
  waiting_host* const host = new waiting_host;
  const auto leave = [&] {
    left_to_exit.host = host;
    std::exit(0);  // runs static destructors, including this one's
  };
  if (BAST_WITH_ASAN || BAST_WITH_TSAN) {
    // The sanitizers' own exit handlers check for leaks and threads of the parent.
    const auto same = [&] {
      delete host;
      ::_exit(0);
    };
    fork_and(*host, same, ended_well);
  } else {
    fork_and(*host, leave, ended_well);
  }
  delete host;
}

TEST_F(ForkedHost, IO15_AChildLeavesByUnderscoreExit) {
  waiting_host host;
  fork_and(host, [] { ::_exit(0); }, ended_well);
}

TEST_F(ForkedHost, IO15_AChildLeavesByExec) {
  waiting_host host;
  const auto leave = [] {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  };
  fork_and(host, leave, ended_well);
}

#if BAST_EXCEPTIONS

TEST_F(ForkedHost, IO15_AChildLeavesByAnExceptionThroughItsFrames) {
  auto host = std::make_unique<waiting_host>();
  const auto leave = [&] {
    int status = 1;
    try {
      const std::unique_ptr<waiting_host> mine = std::move(host);
      throw 0;
    } catch (int code) {
      status = code;
    }
    ::_exit(status);
  };
  fork_and(*host, leave, ended_well);
}

[[gnu::noinline]] void throws() { throw 0; }

TEST_F(ForkedHost, IO15_AChildLeavesByAnExceptionThatNobodyCatches) {
  waiting_host host;
  const auto leave = []() noexcept { throws(); };
  const auto aborted = [](int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  };
  fork_and(host, leave, aborted);
}

#endif

#if BAST_TEST_URING

TEST_F(ForkedHost, IO15_TheRingIsTheParents) {
  io_uring ring{};
  if (io_uring_queue_init(8, &ring, 0) != 0) GTEST_SKIP() << "io_uring is refused";
  auto loop = uring_adapter::create(ring).value();
  ASSERT_TRUE(loop->prepare());
  const unsigned filled = io_uring_sq_ready(&ring);
  const auto use = [&] {
    if (!loop->prepare() || !loop->idle()) return 1;
    if (loop->shut_down().error() != errc::forked) return 2;
    if (test::follow(*loop, some_child()).error() != errc::forked) return 3;
    loop.reset();
    return io_uring_sq_ready(&ring) == filled ? 0 : 4;
  };
  EXPECT_EQ(test::in_child(use), 0);
  ASSERT_TRUE(loop->shut_down());
  while (!loop->idle()) {
    while (!loop->prepare()) io_uring_submit(&ring);
    if (loop->idle()) break;
    io_uring_submit_and_wait(&ring, 1);
    io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(&ring, &completion) == 0) {
      const io_uring_cqe copy = *completion;
      io_uring_cqe_seen(&ring, completion);
      EXPECT_TRUE(loop->handle(copy));
    }
  }
  loop.reset();
  io_uring_queue_exit(&ring);
}

#endif

}  // namespace
}  // namespace bast
