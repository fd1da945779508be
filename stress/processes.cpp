// SPDX-License-Identifier: Apache-2.0
//
// Threads, each with a loop and coroutines that run children of every kind, one after the other,
// while one more thread cancels those that expect it.
#include <sys/prctl.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "bast/coro.hpp"
#include "bast/testing/joined_thread.hpp"
#include "process_case.hpp"
#include "scenario.hpp"
#include "storm.hpp"

namespace bast::stress {

namespace {

constexpr unsigned processes_at_once = 64;  // all threads together, or a few more

/// A thread that cancels each process that it gets, sooner or later.
class canceller {
 public:
  canceller() = default;
  canceller(const canceller&) = delete;
  canceller& operator=(const canceller&) = delete;
  ~canceller() {
    {
      const std::scoped_lock lock(lock_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  void give(cancel_source source) {
    const std::scoped_lock lock(lock_);
    waiting_.push_back(std::move(source));
    changed_.notify_one();
  }

 private:
  void serve() {
    for (std::unique_lock lock(lock_);;) {
      changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const cancel_source source = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      source.cancel();
      lock.lock();
    }
  }

  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<cancel_source> waiting_;
  bool over_ = false;
  std::thread thread_{[this] { serve(); }};
};

struct progress {
  std::atomic<std::uint64_t> processes = 0;
  std::atomic<std::uint64_t> bytes = 0;
};

std::string run_one(run& r, std::mt19937_64& random, canceller& other, progress& done) {
  process_case e(random);
  if (e.wants_cancel()) {
    cancel_source source = cancel_source::create().value();
    e.work().cancelled_by(source.token());
    other.give(std::move(source));
  }
  auto ended = e.work().run();
  if (!ended) return e.judge(ended.error());
  const auto count = ++done.processes;
  done.bytes += process_case::bytes_of(*ended);
  if (r.planted("byte") && count > 5 && !ended->output.bytes.empty()) {
    const auto content = ended->output.bytes.span();
    const_cast<std::byte&>(content.back()) ^= std::byte{1};  // Not const itself.
  }
  return e.judge(*ended);
}

/// One thread: a loop, and coroutines that each run one process after the other.
void work(run& r, unsigned number, canceller& other, progress& done) {
  const unsigned coroutines = (processes_at_once + thread_count() - 1) / thread_count();
  const auto created = epoll_adapter::create({.processes_max = coroutines});
  auto pool = coro_pool::create({.max_coros = coroutines});
  if (!pool || !created) return r.fail("a loop and a pool cannot be made");
  epoll_adapter& loop = **created;
  std::vector<coro<>> all;
  for (unsigned i = 0; i < coroutines; ++i) {
    auto made = pool->acquire();
    if (!made) return r.fail("acquire: " + made.error().message());
    all.push_back(std::move(*made));
    const auto started = all.back().start([&, i] {
      auto random = r.random(number, i);
      while (r.goes_on()) {
        const std::string complaint = run_one(r, random, other, done);
        if (!complaint.empty()) r.fail(complaint);
      }
    });
    if (started.failed()) return r.fail("start: " + started.error().message());
  }
  while (!loop.idle()) {
    if (const auto turned = loop.turn(std::chrono::hours(1)); !turned) {
      r.fail("turn: " + turned.error().message());
    }
  }
  for (const coro<>& one : all) {
    if (one.state() != coro_state::finished) r.fail("P-13: a coroutine was never woken");
  }
}

}  // namespace

std::string processes(run& r) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // Makes us reap what a child leaves behind.
  const books before;
  progress done;
  {
    canceller other;
    std::vector<test::joined_thread> threads;
    for (unsigned n = 0; n < thread_count(); ++n) {
      threads.emplace_back([&, n] { work(r, n, other, done); });
    }
  }
  if (r.planted("zombie") && ::fork() == 0) ::_exit(0);
  before.balance(r);
  if (const std::string left = children_left(); !left.empty()) r.fail("P-12: " + left);
  return std::to_string(done.processes) + " processes, " + std::to_string(processes_at_once) +
         " at a time, " + std::to_string(done.bytes >> 20) + " MiB compared";
}

}  // namespace bast::stress
