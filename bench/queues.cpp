// SPDX-License-Identifier: Apache-2.0
//
// The queues of layer lockfree on one thread: what each costs when no other thread is there. Peers
// are the queues of Boost.Lockfree with the same fixed capacity, a std::deque beside a std::mutex,
// and the locked instruction that an algorithm cannot do without. queues_between.cpp has two
// threads.
#include <array>
#include <atomic>
#include <boost/lockfree/stack.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

#include "queue_peers.hpp"
#include "support.hpp"

namespace {

using bench::value;

struct bast_deque {
  bast::work_deque<value> deque;
  bool push(value v) { return deque.push(v); }
  bool pop(value& v) { return took(deque.pop(), v); }
  bool steal(value& v) { return took(deque.steal(), v); }

 private:
  static bool took(std::optional<value> got, value& v) {
    if (got) v = *got;
    return got.has_value();
  }
};

struct locked_deque {
  bool push(value v) {
    const std::lock_guard lock(mutex_);
    values_.push_back(v);
    return true;
  }
  bool pop(value& newest) {
    const std::lock_guard lock(mutex_);
    if (values_.empty()) return false;
    newest = values_.back();
    values_.pop_back();
    return true;
  }
  bool steal(value& oldest) {
    const std::lock_guard lock(mutex_);
    if (values_.empty()) return false;
    oldest = values_.front();
    values_.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::deque<value> values_;
};
/// The same as a FIFO.
struct locked_queue : locked_deque {
  bool pop(value& oldest) { return steal(oldest); }
};

/// One push and one pop on one thread, with `below` values in the queue all the time.
template <class Queue, int below = 0>
void push_pop(benchmark::State& state) {
  const auto queue = std::make_unique<Queue>();
  for (value i = 0; i < below; ++i) {
    if (!queue->push(i)) bench::give_up("push");
  }
  bench::repeat(state, [&queue, next = value{0}]() mutable {
    value got = 0;
    if (!queue->push(next++)) bench::give_up("push");
    if (!queue->pop(got)) bench::give_up("pop");
    benchmark::DoNotOptimize(got);
  });
}

/// A batch of pushes, then as many pops.
constexpr std::size_t batch = 64;
template <class Queue>
void push_pop_batch(benchmark::State& state) {
  const auto queue = std::make_unique<Queue>();
  bench::repeat(state, [&queue] {
    for (value i = 0; i < batch; ++i) {
      if (!queue->push(i)) bench::give_up("push");
    }
    for (value i = 0; i < batch; ++i) {
      value got = 0;
      if (!queue->pop(got)) bench::give_up("pop");
      benchmark::DoNotOptimize(got);
    }
  });
}

// --- inbox ---------------------------------------------------------------------------------------

struct node {
  node* next = nullptr;
  value content = 0;
};

/// `count` pushes and one take.
template <std::size_t count>
void inbox(benchmark::State& state) {
  bast::inbox<node> in;
  std::array<node, count> nodes;
  bench::repeat(state, [&] {
    for (node& one : nodes) in.push(one);
    for (const node* got = in.take(); got != nullptr; got = got->next) {
      benchmark::DoNotOptimize(got->content);
    }
  });
}

// --- work_deque ----------------------------------------------------------------------------------

/// Only the steals are timed.
template <class Deque>
void steal(benchmark::State& state) {
  constexpr std::size_t count = 16'384;
  Deque deque;
  for (auto _ : state) {
    for (value i = 0; i < count; ++i) {
      if (!deque.push(i)) bench::give_up("push");
    }
    bench::timed(state, count, [&deque] {
      for (std::size_t i = 0; i < count; ++i) {
        value got = 0;
        if (!deque.steal(got)) bench::give_up("steal");
        benchmark::DoNotOptimize(got);
      }
    });
  }
}

/// One locked instruction on x86-64: xchg.
void exchange(benchmark::State& state) {
  std::atomic<value> word = 0;
  bench::repeat(state, [&word, next = value{0}]() mutable {
    benchmark::DoNotOptimize(word.exchange(next++, std::memory_order_seq_cst));
  });
}

// --- tagged_stack --------------------------------------------------------------------------------

void bast_stack(benchmark::State& state) {
  std::array<bast::tagged_stack::link, bench::capacity> links;
  bast::tagged_stack stack(links);
  for (std::uint32_t i = 0; i < bench::capacity / 2; ++i) stack.push(i);
  bench::repeat(state, [&stack] {
    const std::optional<std::uint32_t> got = stack.pop();
    if (!got) bench::give_up("pop");
    stack.push(*got);
  });
}

void boost_stack(benchmark::State& state) {
  boost::lockfree::stack<std::uint32_t, bench::boost_capacity> stack;
  for (std::uint32_t i = 0; i < bench::capacity / 2; ++i) stack.push(i);
  bench::repeat(state, [&stack] {
    std::uint32_t got = 0;
    if (!stack.pop(got)) bench::give_up("pop");
    if (!stack.push(got)) bench::give_up("push");
  });
}

// --- seqlock -------------------------------------------------------------------------------------

struct position {
  std::array<double, 4> coordinates;
};

void bast_seqlock(benchmark::State& state) {
  bast::seqlock<position> shared;
  bench::repeat(state, [&shared] { benchmark::DoNotOptimize(shared.read()); });
}

void shared_mutex(benchmark::State& state) {
  std::shared_mutex mutex;
  position shared = {};
  bench::repeat(state, [&] {
    const std::shared_lock lock(mutex);
    position copy = shared;
    benchmark::DoNotOptimize(copy);
  });
}

void plain_copy(benchmark::State& state) {
  const auto shared = std::make_unique<position>();
  benchmark::DoNotOptimize(shared.get());  // From here on it may change at any time.
  bench::repeat(state, [&shared] {
    position copy = *shared;
    benchmark::DoNotOptimize(copy);
  });
}

BENCHMARK(push_pop<bench::bast_spsc>)->Name("bast_spsc");
BENCHMARK(push_pop<bench::boost_spsc>)->Name("boost_spsc");
BENCHMARK(push_pop<bench::bast_mpsc>)->Name("bast_mpsc");
BENCHMARK(push_pop<bench::bast_mpmc>)->Name("bast_mpmc");
BENCHMARK(push_pop<bench::boost_queue>)->Name("boost_queue");
BENCHMARK(push_pop<locked_queue>)->Name("locked_queue");
BENCHMARK(inbox<1>)->Name("bast_inbox");
BENCHMARK(inbox<batch>)->Name("bast_inbox_batch");
BENCHMARK(push_pop_batch<bench::boost_queue>)->Name("boost_queue_batch");
BENCHMARK(push_pop<bast_deque, 8>)->Name("bast_deque");
BENCHMARK(push_pop<locked_deque, 8>)->Name("locked_deque");
BENCHMARK(push_pop<bast_deque>)->Name("bast_deque_last");
BENCHMARK(push_pop<locked_deque>)->Name("locked_deque_last");
BENCHMARK(steal<bast_deque>)->Name("bast_steal")->Apply(bench::by_hand);
BENCHMARK(steal<locked_deque>)->Name("locked_steal")->Apply(bench::by_hand);
BENCHMARK(exchange);
BENCHMARK(bast_stack);
BENCHMARK(boost_stack);
BENCHMARK(bast_seqlock);
BENCHMARK(shared_mutex);
BENCHMARK(plain_copy);

}  // namespace

int main(int count, char** words) {
  // While a process has one thread, glibc's mutexes use no locked instruction.
  std::atomic_flag over;
  std::thread second([&over] { over.wait(false); });
  benchmark::Initialize(&count, words);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  over.test_and_set();
  over.notify_one();
  second.join();
  return 0;
}
