// SPDX-License-Identifier: Apache-2.0
//
// Threads that grow and switch, while another one sends them signals: in the middle of switches, of
// faults, of unwinding, and on the alternate stack of the fault handler. The handler runs on the
// alternate stack (SA_ONSTACK), as the library requires of all handlers.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cerrno>
#include <latch>
#include <thread>

#include "bast/testing/joined_thread.hpp"
#include "frames.hpp"
#include "storm.hpp"

namespace bast::stress {

namespace {

std::atomic<std::uint64_t> handled;
std::atomic<std::uint64_t> off_the_alternate_stack;
std::atomic<bool> spoil_errno;

void on_signal(int) {
  const int kept = errno;
  ++handled;
  stack_t current{};
  if (::sigaltstack(nullptr, &current) == 0 && (current.ss_flags & SS_ONSTACK) == 0) {
    ++off_the_alternate_stack;
  }
  errno = spoil_errno ? EDOM : kept;
}

/// Like an ordinary handler, it restarts interrupted calls: SA_RESTART.
class handler {
 public:
  handler() {
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    ::sigaction(SIGUSR2, &action, &before_);
  }
  ~handler() { ::sigaction(SIGUSR2, &before_, nullptr); }
  handler(const handler&) = delete;
  handler& operator=(const handler&) = delete;

 private:
  struct sigaction before_{};
};

/// A coroutine that grows and switches, whose errno must be unchanged afterwards: a growth
/// preserves it, and a handler restores it. Signals mostly arrive during this.
void keep_errno(run& r) {
  constexpr int unusual = EXDEV;
  auto pool = coro_pool::create({.stack = {.limit = bytes{512 << 10}}});
  if (!pool) return r.fail("create: " + pool.error().message());
  auto c = pool->acquire();
  if (!c) return r.fail("acquire: " + c.error().message());
  errno = unusual;
  auto step = c->start([&](yielder<>& out) {
    for (unsigned n = 0; n < 100; ++n) {
      const bool fine = descend({.frames = 2 * n, .frame_bytes = 1000, .pattern = 3}, [&] {
        if (n % 10 == 0) out.yield();
      });
      if (!fine) r.fail("a frame was changed");
      if (errno != unusual) return r.fail("a growth or a switch changed errno");
    }
  });
  while (step.yielded()) step = c->resume();
  if (step.failed()) r.fail("resume: " + step.error().message());
}

/// To one thread after the other, with pauses of up to 100 us.
std::uint64_t bombard(const run& r, std::vector<test::joined_thread>& targets,
                      std::mt19937_64 random) {
  std::uint64_t sent = 0;
  while (r.goes_on()) {
    // The C library's call, which uses the thread's id: tgkill(2).
    const int refused = ::pthread_kill(targets[random() % targets.size()].native_handle(), SIGUSR2);
    if (refused == 0) ++sent;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
  }
  return sent;
}

}  // namespace

std::string signals(run& r) {
  model::warm_up();
  const books before;
  handled = 0;
  off_the_alternate_stack = 0;
  spoil_errno = r.planted("errno");
  std::atomic<std::uint64_t> programs = 0;
  std::uint64_t sent = 0;
  {
    const handler installed;
    const unsigned count = thread_count();
    // An ended thread must not receive signals, so they wait for each other.
    std::latch ready(count + 1);
    std::latch over(1);
    std::vector<test::joined_thread> workers;
    for (unsigned n = 0; n < count; ++n) {
      workers.emplace_back([&, n] {
        // Before the first signal this thread must have its alternate stack.
        {
          const auto pool = coro_pool::create();
        }
        ready.arrive_and_wait();
        for (auto random = r.random(n); r.goes_on(); ++programs) {
          if (!one_program(r, "growth", random)) break;
          keep_errno(r);
        }
        over.wait();
      });
    }
    ready.arrive_and_wait();
    sent = bombard(r, workers, r.random(count));
    over.count_down();
  }
  // TSan delivers signals late, at its own calls, and on the stack of these calls.
  if (off_the_alternate_stack != 0 && !BAST_WITH_TSAN) {
    r.fail("a handler ran off the alternate stack");
  }
  if (handled == 0) r.fail("no signal was ever handled");
  before.balance(r);
  return std::to_string(programs) + " programs, " + std::to_string(sent) + " signals sent, " +
         std::to_string(handled) + " handled";
}

}  // namespace bast::stress
