// SPDX-License-Identifier: Apache-2.0
//
// bast_driver [SEED]: random lives of coroutines without GoogleTest, for sanitizers that need all
// code to be instrumented. Coroutines grow, are resumed from the thread and from each other, end or
// are abandoned, and pass their stacks to the next; the pool shrinks now and then. Silent on
// success; a failure ends the process with the line that repeats it.
#include <array>
#include <bast/coro.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace {

using namespace bast::literals;

constexpr int steps = 3000;
constexpr std::size_t coros_max = 24;
constexpr int deepest_kib = 900;

unsigned long long seed = 1;

/// splitmix64, as in the unit tests, whose header needs GoogleTest.
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t from) : state_(from) {}
  std::uint64_t below(std::uint64_t limit) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % limit;
  }

 private:
  std::uint64_t state_;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bast_driver: %s; repeat with: bast_driver %llu\n", what, seed);
  std::abort();
}

/// The value of a resume: how deep to go, and whether another coroutine does it.
struct order {
  int kib = 0;
  bool nested = false;
  bool last = false;
};

/// Fills a kibibyte of stack per level and checks that it is unchanged on the way back.
[[gnu::noinline]] int descend(int levels) {
  std::array<unsigned char, 1024> frame;
  const int mark = levels % 251;
  std::memset(frame.data(), mark, frame.size());
  const int below = levels > 0 ? descend(levels - 1) : 0;
  for (const unsigned char byte : frame) require(byte == mark, "a frame was overwritten");
  return below + 1;
}

using worker = bast::coro<int, order>;

class driver {
 public:
  explicit driver(std::uint64_t from)
      : random_(from), pool_(bast::coro_pool::create({.stack = {.limit = 2_MiB}}).value()) {}

  void run() {
    for (int i = 0; i < steps; ++i) {
      step();
      if (i % 100 == 0) pool_.check_invariants();
      if (i % 500 == 0) (void)pool_.shrink();
    }
    for (auto& w : workers_) end(w);
    pool_.check_invariants();
    require(pool_.stats().stacks.live == 0, "a stack is still in use");
    (void)pool_.shrink();
    require(pool_.stats().stacks.reserved == 0_B, "shrinking left a slab");
  }

 private:
  void step() {
    std::optional<worker>& w = workers_[random_.below(coros_max)];
    if (!w) {
      start(w);
    } else if (random_.below(8) == 0) {
      end(w);
    } else {
      resume(*w, {.kib = depth(), .nested = random_.below(4) == 0});
    }
  }

  /// Mostly shallow, as in practice; a few grow several times.
  int depth() {
    return static_cast<int>(random_.below(16) == 0 ? random_.below(deepest_kib)
                                                   : random_.below(16));
  }

  void start(std::optional<worker>& w) {
    w.emplace(pool_.acquire<int, order>().value());
    const int kib = depth();
    auto step = w->start([this, kib](bast::yielder<int, order>& out) {
      int deep = descend(kib);
      for (;;) {
        const order next = out.yield(deep);
        if (next.last) return;
        deep = next.nested ? descend_elsewhere(next.kib) : descend(next.kib);
      }
    });
    require(step.yielded() && step.value() == kib + 1, "a start went wrong");
  }

  /// In a separate coroutine, resumed by a coroutine.
  int descend_elsewhere(int kib) {
    auto inner = pool_.acquire<void, void, int>().value();
    const auto begun = inner.start([kib](bast::yielder<>& out) {
      const int deep = descend(kib);
      out.yield();
      return deep;
    });
    require(begun.yielded() && inner.resume().finished(), "nesting went wrong");
    return inner.returned().value();
  }

  static void resume(worker& w, order next) {
    auto step = w.resume(next);
    require(step.yielded() && step.value() == next.kib + 1, "a resume went wrong");
  }

  void end(std::optional<worker>& w) {
    if (!w) return;
    if (random_.below(4) == 0) {
      require(w->release(bast::abandon).has_value(), "abandoning went wrong");
    } else {
      require(w->resume(order{.last = true}).finished(), "an end went wrong");
      require(w->release().has_value(), "a release went wrong");
    }
    w.reset();
  }

  random_numbers random_;
  bast::coro_pool pool_;
  std::array<std::optional<worker>, coros_max> workers_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) seed = std::strtoull(arguments[1], nullptr, 10);
  driver(seed).run();
}
