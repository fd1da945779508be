// SPDX-License-Identifier: Apache-2.0
//
// Performs on one thread: a choice of sixteen arms that are ready, or that wait; a message to and
// fro between two coroutines; and what a token adds to a wait. The peer is Go's select and its
// channels on one processor (bench/go). The loop is a ready_queue; bench/sched.cpp has
// the same messages between fibers.
#include <array>
#include <bast/op.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "bast/testing/rendezvous.hpp"
#include "support.hpp"

namespace {

constexpr std::size_t arms = 16;
using bast::test::rendezvous;

template <class F, std::size_t... I>
auto choice_of(F arm, std::index_sequence<I...> /*indices*/) {
  return bast::choice(arm(I)...);
}
template <class F>
auto sixteen(F arm) {
  return choice_of(std::move(arm), std::make_index_sequence<arms>());
}

/// A place for one value, as a Go channel of one.
struct cell {
  bast::wait_queue queue;
  bool full = true;
  auto take() {
    return bast::retry_on(queue, [this]() noexcept { return std::exchange(full, false); });
  }
  void put() {
    queue.wake_one([this]() noexcept { full = true; });
  }
};

void bast_select_ready(benchmark::State& state) {
  std::array<cell, arms> cells;
  bench::repeat(state, [&cells] {
    const auto op =
        sixteen([&](std::size_t i) { return bast::wrap(cells[i].take(), [i] { return i; }); });
    cells[bench::must(bast::perform(op), "perform")].put();
  });
}

void bast_perform_ready(benchmark::State& state) {
  cell one;
  bench::repeat(state, [&one] {
    bench::must(bast::perform(one.take()), "perform");
    one.put();
  });
}

/// Coroutines of the calling thread.
class bodies {
 public:
  void start(std::function<void()> body) {
    coros_.push_back(bench::must(pool_.make(std::move(body)), "make"));
    bench::must(coros_.back().resume(), "resume");
  }
  /// Until the first one has ended.
  void run() {
    while (coros_.front().state() == bast::coro_state::suspended) (void)loop_.run();
  }

 private:
  bast::ready_queue loop_;
  bast::coro_pool pool_ = bench::must(bast::coro_pool::create(), "pool");
  std::vector<bast::coro<>> coros_;
};

constexpr int rounds = 20'000;

/// One coroutine selects among sixteen channels, the other sends to each in turn.
void bast_select_parks(benchmark::State& state) {
  for (auto _ : state) {
    std::array<rendezvous<int>, arms> channels;
    bodies all;
    bench::timed(state, rounds, [&] {
      all.start([&] {
        for (int i = 0; i < rounds; ++i) {
          (void)bench::must(
              bast::perform(sixteen([&](std::size_t c) { return channels[c].receive(); })),
              "receive");
        }
      });
      all.start([&] {
        for (int i = 0; i < rounds; ++i) {
          bench::must(bast::perform(channels[static_cast<std::size_t>(i) % arms].send(i)), "send");
        }
      });
      all.run();
    });
  }
}

/// A value there and one back.
void ping_pong(benchmark::State& state, bool has_token) {
  for (auto _ : state) {
    rendezvous<int> there;
    rendezvous<int> back;
    const auto source = bench::must(bast::cancel_source::create(), "source");
    bodies all;
    const auto governed = [&](auto body) {
      return [&, body] {
        const bast::cancel_binding by(has_token ? source.token() : bast::cancel_token());
        for (int i = 0; i < rounds; ++i) body(i);
      };
    };
    bench::timed(state, rounds, [&] {
      all.start(governed([&](int i) {
        bench::must(bast::perform(there.send(i)), "send");
        (void)bench::must(bast::perform(back.receive()), "receive");
      }));
      all.start(governed([&](int /*round*/) {
        int got = bench::must(bast::perform(there.receive()), "receive");
        bench::must(bast::perform(back.send(got)), "send");
      }));
      all.run();
    });
  }
}
void bast_ping_pong(benchmark::State& state) { ping_pong(state, false); }
void bast_ping_pong_token(benchmark::State& state) { ping_pong(state, true); }

BENCHMARK(bast_perform_ready);
BENCHMARK(bast_select_ready);
BENCHMARK(bast_select_parks)->Apply(bench::by_hand);
BENCHMARK(bast_ping_pong)->Apply(bench::by_hand);
BENCHMARK(bast_ping_pong_token)->Apply(bench::by_hand);

}  // namespace

BENCHMARK_MAIN();
