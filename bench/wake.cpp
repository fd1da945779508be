// SPDX-License-Identifier: Apache-2.0
//
// How long does it take to wake a worker that sleeps? An OS thread on the first processor calls a
// thread that sleeps on the last one: a worker with a message or a post, and plain threads with a
// bare futex and with an eventfd in an epoll set. One way, the caller polls for the answer, so that
// only the wake is timed; there and back, it sleeps until the answer wakes it. Wall time, medians.
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <bast/sched.hpp>
#include <chrono>
#include <cstdint>
#include <latch>
#include <optional>
#include <thread>

#include "bast/testing/rendezvous.hpp"
#include "processors.hpp"
#include "support.hpp"

namespace {

using number = std::uint32_t;
constexpr number last_call = UINT32_MAX;

/// A number that one thread raises and another one waits for.
class alignas(128) futex_word {
 public:
  // Acquire and release: each pairs with the other, so that what was written before is seen.
  number get() const { return word_.load(std::memory_order_acquire); }
  void set(number n) { word_.store(n, std::memory_order_release); }
  void wake() { (void)::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }
  /// Sleeps while it is `old`; returns what it is then.
  number sleep_while(number old) {
    number n = get();
    for (; n == old; n = get()) {
      (void)::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
    }
    return n;
  }

 private:
  std::atomic<number> word_{0};
};

/// How the caller learns that its call has arrived.
enum class answer { polled, slept_for };

/// A plain thread that sleeps in futex(2).
class futex_thread {
 public:
  explicit futex_thread(answer how) : how_(how) {}
  ~futex_thread() { call(last_call); }
  futex_thread(const futex_thread&) = delete;
  futex_thread& operator=(const futex_thread&) = delete;

  void call(number n) {
    called_.set(n);
    called_.wake();
  }
  bool has_answered(number n) const { return answered_.get() == n; }
  void sleep_for_answer(number n) { (void)answered_.sleep_while(n - 1); }

 private:
  void serve() {
    bench::move_to(bench::processor::last);
    for (number n = 0; (n = called_.sleep_while(n)) != last_call;) {
      answered_.set(n);
      if (how_ == answer::slept_for) answered_.wake();
    }
  }
  answer how_;
  futex_word called_, answered_;
  std::jthread thread_{[this] { serve(); }};
};

/// A plain thread that sleeps in epoll_wait(2). Edge-triggered: nothing has to be read.
class epoll_thread {
 public:
  explicit epoll_thread(answer how) : how_(how) {
    epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {}};
    if (event_ < 0 || set_ < 0) bench::give_up("eventfd or epoll");
    if (::epoll_ctl(set_, EPOLL_CTL_ADD, event_, &wanted) != 0) bench::give_up("epoll_ctl");
    thread_ = std::jthread([this] { serve(); });
  }
  ~epoll_thread() {
    call(last_call);
    thread_.join();
    ::close(set_);
    ::close(event_);
  }
  epoll_thread(const epoll_thread&) = delete;
  epoll_thread& operator=(const epoll_thread&) = delete;

  void call(number n) {
    called_.set(n);
    if (::eventfd_write(event_, 1) != 0) bench::give_up("eventfd_write");
  }
  bool has_answered(number n) const { return answered_.get() == n; }
  void sleep_for_answer(number n) { (void)answered_.sleep_while(n - 1); }

 private:
  void serve() {
    bench::move_to(bench::processor::last);
    for (number last = 0; last != last_call;) {
      epoll_event happened{};
      (void)::epoll_wait(set_, &happened, 1, -1);
      const number n = called_.get();
      if (n == last) continue;
      last = n;
      answered_.set(n);
      if (how_ == answer::slept_for) answered_.wake();
    }
  }
  answer how_;
  int event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int set_ = ::epoll_create1(EPOLL_CLOEXEC);
  futex_word called_, answered_;
  std::jthread thread_;
};

/// A runtime of one worker whose main fiber receives a message, and sends one back if it is slept
/// for.
class messages {
 public:
  explicit messages(answer how) : how_(how) {}
  ~messages() { call(last_call); }
  messages(const messages&) = delete;
  messages& operator=(const messages&) = delete;

  void call(number n) { bench::must(bast::block_on(calls_.send(n)), "send"); }
  bool has_answered(number n) const { return answered_.get() == n; }
  void sleep_for_answer(number n) {
    if (bench::must(bast::block_on(answers_.receive()), "receive") != n) bench::give_up("order");
  }

 private:
  void serve() {
    while (true) {
      number n = bench::must(bast::perform(calls_.receive()), "receive");
      if (n == last_call) return;
      answered_.set(n);
      if (how_ == answer::slept_for) bench::must(bast::perform(answers_.send(n)), "send");
    }
  }
  answer how_;
  bast::test::rendezvous<number> calls_, answers_;
  futex_word answered_;
  std::jthread thread_{[this] {
    bench::move_to(bench::processor::last);
    if (!bast::run([this] { serve(); }, {.workers = 1})) bench::give_up("run");
  }};
};

/// A runtime of one worker to which functions are posted.
class posts {
 public:
  explicit posts(answer /*how*/) { known_.wait(); }
  ~posts() { bench::must(bast::block_on(over_.send(end_)), "send"); }
  posts(const posts&) = delete;
  posts& operator=(const posts&) = delete;

  void call(number n) {
    bench::must(runtime_->post([this, n] { answered_.set(n); }), "post");
  }
  bool has_answered(number n) const { return answered_.get() == n; }

 private:
  void serve() {
    runtime_ = bench::must(bast::runtime_handle::current(), "current");
    known_.count_down();
    (void)bench::must(bast::perform(over_.receive()), "receive");
  }
  number end_ = last_call;
  std::latch known_{1};
  std::optional<bast::runtime_handle> runtime_;
  bast::test::rendezvous<number> over_;
  futex_word answered_;
  std::jthread thread_{[this] {
    bench::move_to(bench::processor::last);
    if (!bast::run([this] { serve(); }, {.workers = 1})) bench::give_up("run");
  }};
};

/// Until the called thread sleeps again.
void settle() {
  const auto start = bench::clock::now();
  while (bench::clock::now() - start < std::chrono::microseconds(50)) {
  }
}

constexpr number calls = 10'000;

/// `wait(called, n)` returns when call n has been answered.
template <class Called, class Wait>
void call_often(benchmark::State& state, answer how, Wait wait) {
  bench::move_to(bench::processor::first);
  for (auto _ : state) {
    Called called(how);
    bench::stopwatch watch(calls);
    for (number n = 1; n <= calls; ++n) {
      settle();
      watch.lap([&] {
        called.call(n);
        wait(called, n);
      });
    }
    state.SetIterationTime(watch.median());
  }
}

template <class Called>
void one_way(benchmark::State& state) {
  call_often<Called>(state, answer::polled, [](Called& called, number n) {
    while (!called.has_answered(n)) bast::arch::relax();
  });
}

template <class Called>
void there_and_back(benchmark::State& state) {
  call_often<Called>(state, answer::slept_for,
                     [](Called& called, number n) { called.sleep_for_answer(n); });
}

BENCHMARK(one_way<messages>)->Name("bast_message")->Apply(bench::once);
BENCHMARK(one_way<posts>)->Name("bast_post")->Apply(bench::once);
BENCHMARK(one_way<futex_thread>)->Name("futex")->Apply(bench::once);
BENCHMARK(one_way<epoll_thread>)->Name("epoll")->Apply(bench::once);
BENCHMARK(there_and_back<messages>)->Name("bast_ping")->Apply(bench::once);
BENCHMARK(there_and_back<futex_thread>)->Name("futex_ping")->Apply(bench::once);
BENCHMARK(there_and_back<epoll_thread>)->Name("epoll_ping")->Apply(bench::once);

}  // namespace

BENCHMARK_MAIN();
