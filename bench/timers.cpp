// SPDX-License-Identifier: Apache-2.0
//
// The cost of a timer that is armed and disarmed, as almost all timeouts are, beside a million that
// stay armed; of one that is handed out; and of a slot whose timers move down. The clock is not
// read: a worker knows the time of its turn.
#include <algorithm>
#include <bast/io.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "support.hpp"

namespace {

using bast::internal::timer;
using bast::internal::wheel;

constexpr std::uint64_t now = std::uint64_t{1} << 50;  // 13 days after the machine's start
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::size_t many = 1'000'000;

std::uint64_t next_random(std::uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/// The peers keep the same order: by deadline, equal ones in order of arming.
class ordered_map {
 public:
  struct node {
    std::multimap<std::uint64_t, node*>::iterator place;
  };
  void arm(node& armed, std::uint64_t at_ns) { armed.place = all_.emplace(at_ns, &armed); }
  void disarm(node& removed) { all_.erase(removed.place); }

 private:
  std::multimap<std::uint64_t, node*> all_;
};

/// A heap of four children each, the structure of Go's and of many loops' timers. Deadlines stand
/// in the array, and each node knows its place there.
class heap_of_four {
 public:
  struct node {
    std::size_t place = 0;
  };
  heap_of_four() { all_.reserve(many + 1000); }
  void arm(node& armed, std::uint64_t at_ns) {
    all_.push_back({});
    rise(all_.size() - 1, {.at_ns = at_ns, .order = order_++, .owner = &armed});
  }
  void disarm(node& removed) {
    const std::size_t place = removed.place;
    const entry last = all_.back();
    all_.pop_back();
    if (place == all_.size()) return;
    if (place != 0 && before(last, all_[(place - 1) / 4])) {
      rise(place, last);
    } else {
      sink(place, last);
    }
  }

 private:
  struct entry {
    std::uint64_t at_ns;
    std::uint64_t order;
    node* owner;
  };
  static bool before(const entry& a, const entry& b) {
    return a.at_ns != b.at_ns ? a.at_ns < b.at_ns : a.order < b.order;
  }
  void put(std::size_t place, const entry& moved) {
    all_[place] = moved;
    moved.owner->place = place;
  }
  void rise(std::size_t place, const entry& moved) {
    while (place != 0 && before(moved, all_[(place - 1) / 4])) {
      put(place, all_[(place - 1) / 4]);
      place = (place - 1) / 4;
    }
    put(place, moved);
  }
  void sink(std::size_t place, const entry& moved) {
    for (;;) {
      std::size_t least = 4 * place + 1;
      if (least >= all_.size()) break;
      const std::size_t end = std::min(least + 4, all_.size());
      for (std::size_t i = least + 1; i < end; ++i) {
        if (before(all_[i], all_[least])) least = i;
      }
      if (!before(all_[least], moved)) break;
      put(place, all_[least]);
      place = least;
    }
    put(place, moved);
  }

  std::vector<entry> all_;
  std::uint64_t order_ = 0;
};

/// The wheel as the peers are called.
class bast_wheel {
 public:
  using node = timer;
  void arm(node& armed, std::uint64_t at_ns) { all_.arm(armed, at_ns); }
  void disarm(node& removed) { all_.disarm(removed); }

 private:
  wheel all_{now};
};

/// A million timers within the next hour, and 1000 timeouts of about 30 s that come and go.
template <class Timers>
void arm_and_disarm(benchmark::State& state) {
  // On the heap, and in this order: the timers outlive the structure's last use of them.
  const auto armed = std::make_unique<typename Timers::node[]>(many);
  const auto passing = std::make_unique<typename Timers::node[]>(1000);
  Timers all;
  std::uint64_t random = 88172645463325252;
  for (std::size_t i = 0; i < many; ++i) {
    all.arm(armed[i], now + 1 + next_random(random) % (3600 * second));
  }
  std::uint64_t at = now + 30 * second;
  while (state.KeepRunningBatch(1000)) {
    for (std::size_t i = 0; i < 1000; ++i) all.arm(passing[i], ++at);
    for (std::size_t i = 0; i < 1000; ++i) all.disarm(passing[i * 7 % 1000]);
  }
  for (std::size_t i = 0; i < many; ++i) all.disarm(armed[i]);
}

BENCHMARK(arm_and_disarm<bast_wheel>)->Name("bast_arm_disarm");
BENCHMARK(arm_and_disarm<heap_of_four>)->Name("heap_arm_disarm");
BENCHMARK(arm_and_disarm<ordered_map>)->Name("map_arm_disarm");

/// Ten thousand timers of one slot, which is entered: each of them is moved. Per timer.
void bast_move_down(benchmark::State& state) {
  constexpr std::size_t count = 10'000;
  // One slot of level 5 is 1.07 s.
  constexpr std::uint64_t slot = std::uint64_t{1} << 30;
  const auto timers = std::make_unique<timer[]>(count);
  std::uint64_t random = 88172645463325252;
  for (auto _ : state) {
    wheel all(now);
    for (std::size_t i = 0; i < count; ++i) {
      all.arm(timers[i], now + slot + 1 + next_random(random) % (slot - 1));
    }
    bench::timed(state, count, [&] { benchmark::DoNotOptimize(all.advance(now + slot)); });
    for (std::size_t i = 0; i < count; ++i) all.disarm(timers[i]);
  }
}
BENCHMARK(bast_move_down)->Apply(bench::by_hand);

/// The whole way: a hundred thousand timers within ten seconds, handed out in turns of 1 ms.
void bast_hand_out(benchmark::State& state) {
  constexpr std::size_t count = 100'000;
  const auto timers = std::make_unique<timer[]>(count);
  std::uint64_t random = 88172645463325252;
  for (auto _ : state) {
    wheel all(now);
    for (std::size_t i = 0; i < count; ++i) {
      all.arm(timers[i], now + 1 + next_random(random) % (10 * second));
    }
    std::size_t fired = 0;
    bench::timed(state, count, [&] {
      for (std::uint64_t at = now; fired < count; at += second / 1000) {
        while (all.advance(at) != nullptr) ++fired;
      }
    });
  }
}
BENCHMARK(bast_hand_out)->Apply(bench::by_hand);

/// The same with the map: its own removal of the first.
void map_hand_out(benchmark::State& state) {
  constexpr std::size_t count = 100'000;
  std::uint64_t random = 88172645463325252;
  for (auto _ : state) {
    std::multimap<std::uint64_t, std::size_t> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.emplace(now + 1 + next_random(random) % (10 * second), i);
    }
    bench::timed(state, count, [&] {
      for (std::uint64_t at = now; !all.empty(); at += second / 1000) {
        while (!all.empty() && all.begin()->first <= at) all.erase(all.begin());
      }
    });
  }
}
BENCHMARK(map_hand_out)->Apply(bench::by_hand);

}  // namespace

BENCHMARK_MAIN();
