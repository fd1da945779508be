// SPDX-License-Identifier: Apache-2.0
//
// What does it cost that a fiber which has started stays on its worker (F-5)? Two workers, wall
// time; bench/go/stall does the same on two processors of Go's scheduler, which moves goroutines.
//
// The makespan of fibers with uneven work: all of it before their first wait, when any worker may
// take them, or after it, when none may. And how late fibers are that wait for 5 ms again and
// again, beside one that computes: for 10 ms, and then waits too; with yields instead, every 10 ms
// or every 100 us; or in a pool of its own.
#include <algorithm>
#include <array>
#include <atomic>
#include <bast/sched.hpp>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "processors.hpp"
#include "support.hpp"

namespace {

using namespace std::chrono_literals;
constexpr std::size_t workers = 2;

template <class T>
auto spawn(T function, const bast::spawn_options& options = {}) {
  return bench::must(bast::spawn(std::move(function), options), "spawn");
}

template <class Duration>
void sleep_for(Duration length) {
  bench::must(bast::perform(bast::sleep_for(length)), "sleep_for");
}

/// About 100 us of a multiplication and an addition that wait for each other, so that every
/// compiler's take the same time.
[[gnu::noinline]] void compute(std::size_t units) {
  std::uint64_t x = units;
  for (std::size_t i = 0; i < units * 75'000; ++i) {
    x = x * 6364136223846793005U + 1442695040888963407U;
  }
  benchmark::DoNotOptimize(x);
}

// --- makespan ------------------------------------------------------------------------------------

constexpr std::size_t tasks = 64;
constexpr std::size_t draws = 25;

/// The units of each task, another draw for each seed: half of the tasks have one, a quarter two,
/// an eighth four, up to 32.
class uneven_work {
 public:
  explicit uneven_work(std::uint64_t seed) : state_(seed) {}
  std::size_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    std::size_t units = 1;
    for (std::uint64_t bits = state_ >> 32; bits % 2 == 1 && units < 32; bits /= 2) units *= 2;
    return units;
  }

 private:
  std::uint64_t state_;
};

enum class work_is { before_the_wait, after_the_wait };

void task(work_is when, std::size_t units) {
  if (when == work_is::after_the_wait) {
    compute(1);
    sleep_for(2ms);
  }
  compute(units);
}

void spawn_all(work_is when, std::uint64_t seed) {
  uneven_work work(seed);
  std::vector<bast::fiber<void>> all;
  for (std::size_t i = 0; i < tasks; ++i) {
    all.push_back(spawn([when, units = work.next()] { task(when, units); }));
  }
  for (auto& each : all) bench::must(each.join(), "join");
}

/// The median of many draws.
template <work_is When>
void bast_makespan(benchmark::State& state) {
  for (auto _ : state) {
    bench::stopwatch watch(draws);
    const auto ran = bast::run(
        [&] {
          for (std::uint64_t seed = 1; seed <= draws; ++seed) {
            sleep_for(5ms);  // The other worker sleeps again.
            watch.lap([seed] { spawn_all(When, seed); });
          }
        },
        {.workers = workers});
    if (!ran) bench::give_up("run");
    state.SetIterationTime(watch.median());
  }
}

/// The same work on plain threads, each of which takes the next task as soon as it is free: what
/// moving can reach at most.
void share_all(work_is when, std::uint64_t seed) {
  std::array<std::size_t, tasks> units{};
  uneven_work work(seed);
  for (std::size_t& each : units) each = work.next() + (when == work_is::after_the_wait ? 1 : 0);
  std::atomic<std::size_t> next = 0;
  const auto serve = [&] {
    for (std::size_t i = next++; i < tasks; i = next++) compute(units[i]);
  };
  const std::jthread other(serve);
  serve();
}

template <work_is When>
void shared_makespan(benchmark::State& state) {
  static_assert(workers == 2);
  for (auto _ : state) {
    bench::stopwatch watch(draws);
    for (std::uint64_t seed = 1; seed <= draws; ++seed) {
      std::this_thread::sleep_for(5ms);
      watch.lap([seed] { share_all(When, seed); });
    }
    state.SetIterationTime(watch.median());
  }
}

// --- delay ---------------------------------------------------------------------------------------

constexpr std::size_t waiters = 100;
constexpr auto wait_length = 5ms;
constexpr auto measured = 1s;

/// Fibers that only wait, and how late each wait ended. They have started, on all workers, before
/// the computing begins.
class late_fibers {
 public:
  late_fibers() {
    for (auto& mine : seconds_) {
      fibers_.push_back(spawn([this, &mine] { wait_again(mine); }));
    }
    while (started_ != waiters) sleep_for(1ms);
  }
  /// Ends them, and returns the delay that all but one in a hundred do not exceed.
  double p99() {
    over_ = true;
    for (auto& each : fibers_) bench::must(each.join(), "join");
    std::vector<double> all;
    for (const auto& each : seconds_) all.insert(all.end(), each.begin(), each.end());
    if (all.empty()) bench::give_up("waiting");
    const auto at = all.begin() + static_cast<std::ptrdiff_t>(all.size() * 99 / 100);
    std::nth_element(all.begin(), at, all.end());
    return *at;
  }
  bool are_over() const { return over_; }

 private:
  void wait_again(std::vector<double>& delays) {
    compute(1);  // So that other workers take some of the rest.
    ++started_;
    // Due at fixed times: one long delay counts once for each wait that it covers.
    for (auto due = bench::clock::now() + wait_length; !over_; due += wait_length) {
      bench::must(bast::perform(bast::sleep_until(due)), "sleep_until");
      delays.push_back(bench::seconds_since(due));
    }
  }
  std::atomic<std::size_t> started_ = 0;
  std::atomic<bool> over_ = false;
  std::vector<std::vector<double>> seconds_{waiters};
  std::vector<bast::fiber<void>> fibers_;
};

enum class beside { nothing, waits, yields, yields_often, other_pool };

void compute_until_over(const late_fibers& others, beside what) {
  const std::chrono::microseconds at_a_time = what == beside::yields_often ? 100us : 10ms;
  while (!others.are_over()) {
    // Reads the clock all the time, in place of a computation.
    for (const auto start = bench::clock::now(); bench::clock::now() - start < at_a_time;) {
    }
    if (what == beside::yields || what == beside::yields_often) {
      bench::must(bast::yield_now(), "yield");
    } else {
      sleep_for(wait_length);
    }
  }
}

template <beside What>
void bast_delay(benchmark::State& state) {
  static constexpr bast::pool_options computing = {.name = "computing"};
  static constexpr bool has_pool = What == beside::other_pool;
  bast::run_options options = {.workers = has_pool ? workers - 1 : workers};
  if (has_pool) options.pools = {&computing, 1};
  for (auto _ : state) {
    const auto ran = bast::run(
        [&] {
          late_fibers late;
          bast::fiber<void> computes;
          if (What != beside::nothing) {
            computes = spawn([&late] { compute_until_over(late, What); },
                             {.pool = has_pool ? computing.name : nullptr});
          }
          sleep_for(measured);
          state.SetIterationTime(late.p99());
          if (What != beside::nothing) bench::must(computes.join(), "join");
        },
        options);
    if (!ran) bench::give_up("run");
  }
}

BENCHMARK(bast_makespan<work_is::before_the_wait>)
    ->Name("bast_before_the_wait")
    ->Apply(bench::once);
BENCHMARK(shared_makespan<work_is::before_the_wait>)
    ->Name("shared_before_the_wait")
    ->Apply(bench::once);
BENCHMARK(bast_makespan<work_is::after_the_wait>)->Name("bast_after_the_wait")->Apply(bench::once);
BENCHMARK(shared_makespan<work_is::after_the_wait>)
    ->Name("shared_after_the_wait")
    ->Apply(bench::once);
BENCHMARK(bast_delay<beside::nothing>)->Name("bast_delay_alone")->Apply(bench::once);
BENCHMARK(bast_delay<beside::waits>)->Name("bast_delay_waits")->Apply(bench::once);
BENCHMARK(bast_delay<beside::yields>)->Name("bast_delay_yields")->Apply(bench::once);
BENCHMARK(bast_delay<beside::yields_often>)->Name("bast_delay_yields_often")->Apply(bench::once);
BENCHMARK(bast_delay<beside::other_pool>)->Name("bast_delay_other_pool")->Apply(bench::once);

}  // namespace

int main(int count, char** words) { return bench::run_on_all_processors(count, words); }
