// SPDX-License-Identifier: Apache-2.0
//
// Asio, a peer of bench/sched.cpp: a spawn and its join, and a yield, which is a post to oneself;
// with the stackful coroutines of asio::spawn, and with those of C++20. One io_context, on one
// thread, as its documentation shows it.
#include <asio.hpp>
#include <asio/spawn.hpp>
#include <cstddef>
#include <memory>
#include <utility>

#include "support.hpp"

namespace {

constexpr std::size_t operations = 300'000;

/// `start(context, body)` starts the first coroutine, which times itself.
template <class Start>
void in_context(benchmark::State& state, Start start) {
  for (auto _ : state) {
    asio::io_context context(1);  // How many threads will run it.
    start(context);
    context.run();
  }
}

/// Processor time of this thread, from its construction to tell().
class stretch {
 public:
  explicit stretch(benchmark::State& state) : state_(&state) {}
  void tell(std::size_t count) const {
    const double took = bench::processor_seconds() - start_;
    state_->SetIterationTime(took / static_cast<double>(count));
  }

 private:
  benchmark::State* state_;
  double start_ = bench::processor_seconds();
};

// --- stackful ------------------------------------------------------------------------------------

const boost::coroutines::attributes stack_size(bench::slot_bytes);

/// A child that calls what its parent waits for when it ends: spawn() of this version returns
/// nothing to join.
void stackful_child(asio::yield_context parent, std::size_t& value, std::size_t given) {
  asio::async_initiate<asio::yield_context, void()>(
      [&](auto handler) {
        asio::spawn(
            parent,
            [&value, given, ended = std::move(handler)](asio::yield_context /*self*/) mutable {
              value = given;
              asio::post(std::move(ended));
            },
            stack_size);
      },
      parent);
}

void stackful_spawn_join(benchmark::State& state) {
  in_context(state, [&state](asio::io_context& context) {
    asio::spawn(
        context,
        [&state](asio::yield_context self) {
          const stretch time(state);
          for (std::size_t i = 0; i < operations; ++i) {
            std::size_t value = 0;
            stackful_child(self, value, i);
            benchmark::DoNotOptimize(value);
          }
          time.tell(operations);
        },
        stack_size);
  });
}
BENCHMARK(stackful_spawn_join)->Apply(bench::by_hand);

void stackful_yield(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  in_context(state, [&state, count](asio::io_context& context) {
    const auto over = std::make_shared<bool>(false);
    for (std::size_t i = 1; i < count; ++i) {
      asio::spawn(
          context,
          [over](asio::yield_context self) {
            while (!*over) asio::post(self);
          },
          stack_size);
    }
    asio::spawn(
        context,
        [&state, count, over](asio::yield_context self) {
          const std::size_t rounds = operations / count;
          asio::post(self);  // The others have begun.
          const stretch time(state);
          for (std::size_t i = 0; i < rounds; ++i) asio::post(self);
          time.tell(rounds);
          *over = true;
        },
        stack_size);
  });
}
BENCHMARK(stackful_yield)->Arg(2)->Arg(1000)->Apply(bench::by_hand);

// --- stackless -----------------------------------------------------------------------------------

#if defined(ASIO_HAS_CO_AWAIT)  // With GCC: this version does not see Clang's.

using asio::awaitable;
using asio::use_awaitable;

awaitable<std::size_t> stackless_child(std::size_t given) { co_return given; }

awaitable<void> spawn_and_join(benchmark::State& state) {
  const auto here = co_await asio::this_coro::executor;
  const stretch time(state);
  for (std::size_t i = 0; i < operations; ++i) {
    benchmark::DoNotOptimize(co_await asio::co_spawn(here, stackless_child(i), use_awaitable));
  }
  time.tell(operations);
}

void stackless_spawn_join(benchmark::State& state) {
  in_context(state, [&state](asio::io_context& context) {
    asio::co_spawn(context, spawn_and_join(state), asio::detached);
  });
}
BENCHMARK(stackless_spawn_join)->Apply(bench::by_hand);

awaitable<void> yield_until(const bool& over) {
  while (!over) co_await asio::post(use_awaitable);
}

awaitable<void> yield_timed(benchmark::State& state, bool& over, std::size_t rounds) {
  co_await asio::post(use_awaitable);  // The others have begun.
  const stretch time(state);
  for (std::size_t i = 0; i < rounds; ++i) co_await asio::post(use_awaitable);
  time.tell(rounds);
  over = true;
}

void stackless_yield(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  bool over = false;
  in_context(state, [&](asio::io_context& context) {
    over = false;
    for (std::size_t i = 1; i < count; ++i) {
      asio::co_spawn(context, yield_until(over), asio::detached);
    }
    asio::co_spawn(context, yield_timed(state, over, operations / count), asio::detached);
  });
}
BENCHMARK(stackless_yield)->Arg(2)->Arg(1000)->Apply(bench::by_hand);

#endif

}  // namespace

BENCHMARK_MAIN();
