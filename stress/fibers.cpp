// SPDX-License-Identifier: Apache-2.0
//
// Runtimes that live for some milliseconds: trees of fibers on several workers and OS threads
// beside them spawn, join, meet, cancel and give handles away; then everything is cancelled, or
// ends by itself, while the threads still submit (S-3, C-11, O-11, IO-9, IO-13).
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "bast/sched.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/rendezvous.hpp"
#include "bast/testing/split_mix.hpp"
#include "scenario.hpp"

namespace bast::stress {

namespace {

/// What is counted in one life of a runtime.
struct life {
  run& r;
  std::int64_t fibers_max;
  test::rendezvous<std::uint64_t> meetings[3] = {};
  std::atomic<std::uint64_t> sent{0}, received{0};
  std::atomic<std::int64_t> spawned{0}, ran{0}, holders{0};
  std::atomic<std::uint64_t> waits{0};
  std::mutex lock = {};
  std::deque<fiber<std::uint64_t>> given_away = {};

  void expect(bool holds, const char* otherwise) {
    if (!holds) r.fail(otherwise);
  }
  void give(fiber<std::uint64_t> handle) {
    const std::scoped_lock held(lock);
    given_away.push_back(std::move(handle));
  }
  fiber<std::uint64_t> take() {
    const std::scoped_lock held(lock);
    if (given_away.empty()) return {};
    auto first = std::move(given_away.front());
    given_away.pop_front();
    return first;
  }
};

class held {
 public:
  explicit held(life& of) noexcept : of_(&of) { ++of_->holders; }
  held(held&& other) noexcept : of_(other.of_) { ++of_->holders; }
  held& operator=(held&&) = delete;
  ~held() { --of_->holders; }

 private:
  life* of_;
};

std::uint64_t program(life& of, std::uint64_t seed, int depth);

/// By `spawn_with`, so that guests do it too.
template <class Spawn>
fiber<std::uint64_t> begin(life& of, std::uint64_t seed, int depth, Spawn spawn_with) {
  if (of.spawned.load() >= of.fibers_max) return {};
  auto body = [&of, seed, depth, mine = held(of)] { return program(of, seed, depth); };
  auto made = spawn_with(std::move(body));
  if (!made) {
    of.expect(made.error() == errc::closed, "a spawn failed");
    return {};
  }
  ++of.spawned;
  return std::move(*made);
}

fiber<std::uint64_t> begin_here(life& of, std::uint64_t seed, int depth) {
  return begin(of, seed, depth, [seed](auto body) {
    return spawn(std::move(body), {.pool = seed % 5 == 0 ? "side" : nullptr});
  });
}

void join(life& of, fiber<std::uint64_t> one) {
  if (!one) return;
  ++of.waits;
  if (const auto got = one.join()) {
    of.expect(*got % 2 == 1, "a join took another value");
  } else {
    // A fiber may have found its own handle among those that were given away.
    of.expect(got.error() == errc::cancelled || got.error() == errc::deadlock, "a join failed");
    of.expect(static_cast<bool>(one), "a cancelled join took the outcome");
  }
}

/// One wait in which values may be passed; each is counted where it was.
void meet(life& of, test::split_mix& random) {
  ++of.waits;
  std::uint64_t mine = random.next() >> 8;
  const std::uint64_t value = mine;
  auto& there = of.meetings[random.below(3)];
  auto& elsewhere = of.meetings[random.below(3)];
  constexpr int is_sent = 1;
  constexpr int is_received = 2;
  std::uint64_t got = 0;
  const auto take = [&](std::uint64_t arrived) {
    got = arrived;
    return is_received;
  };
  const auto note = [] { return is_sent; };
  result<int> how = 0;
  switch (random.below(4)) {
    case 0: how = perform(wrap(there.send(mine), note)); break;
    case 1: how = perform(wrap(there.receive(), take)); break;
    case 2:
      how = perform(choice(wrap(there.send(mine), note), wrap(elsewhere.receive(), take)));
      break;
    default:
      how = perform(choice(wrap(there.receive(), take), wrap(elsewhere.receive(), take),
                           wrap(of.meetings[0].send(mine), note)));
  }
  if (!how) {
    of.expect(how.error() == errc::cancelled, "a wait failed");
  } else if (*how == is_sent) {
    of.sent += value;
  } else {
    of.received += of.r.planted("token") ? got + 1 : got;
  }
}

/// A wait that another fiber cancels, or a peer ends.
void meet_under_own_token(life& of, test::split_mix& random) {
  const auto source = cancel_source::create().value();
  auto canceller = begin(of, random.next(), 0, [&](auto body) {
    return spawn([source = source.token(), body = std::move(body), owner = &source]() mutable {
      owner->cancel();
      return body();
    });
  });
  {
    const cancel_binding bound(source.token());
    meet(of, random);
  }
  // It uses the source: it must have ended. Whatever cancels this fiber meanwhile is ignored.
  const cancel_binding shielded{cancel_token()};
  join(of, std::move(canceller));
}

std::uint64_t program(life& of, std::uint64_t seed, int depth) {
  ++of.ran;
  test::split_mix random(seed);
  const auto thread = std::this_thread::get_id();
  std::vector<fiber<std::uint64_t>> children;
  for (std::uint64_t steps = random.below(8); steps > 0; --steps) {
    switch (random.below(9)) {
      case 0:
      case 1:
        if (depth > 0) children.push_back(begin_here(of, random.next(), depth - 1));
        break;
      case 2:
        if (depth > 0) of.give(begin_here(of, random.next(), depth - 1));
        break;
      case 3: join(of, of.take()); break;
      case 4: (void)of.take(); break;  // given up
      case 5: (void)yield_now(); break;
      case 6:
      case 7: meet(of, random); break;
      default:
        if (depth > 0) meet_under_own_token(of, random);
    }
    of.expect(std::this_thread::get_id() == thread, "F-5: a fiber changed its thread");
  }
  for (auto& child : children) {
    if (random.below(4) != 0) join(of, std::move(child));
  }
  return seed | 1;
}

/// An OS thread beside the runtime, until `stop` fires.
void guest(life& of, const runtime_handle& runtime, std::uint64_t seed, const cancel_token& stop) {
  const cancel_binding bound(stop);
  test::split_mix random(seed);
  while (this_coro::checkpoint()) {
    auto handle = runtime;
    switch (random.below(6)) {
      case 0:
      case 1:
        join(of,
             begin(of, random.next(), 2, [&](auto body) { return handle.spawn(std::move(body)); }));
        break;
      case 2:
        of.give(
            begin(of, random.next(), 2, [&](auto body) { return handle.spawn(std::move(body)); }));
        break;
      case 3: join(of, of.take()); break;
      case 4: meet(of, random); break;
      default:
        if (random.below(200) == 0) (void)handle.cancel();
        std::this_thread::yield();
    }
  }
}

void one_life(life& of, std::uint64_t seed) {
  test::split_mix random(seed);
  const auto stop = cancel_source::create().value();
  std::vector<test::joined_thread> guests;
  const pool_options pools[] = {{.name = "side", .workers = 1 + random.below(2)}};
  const auto ended = bast::run(
      [&] {
        auto runtime = runtime_handle::current().value();
        for (std::uint64_t g = 1 + random.below(2); g > 0; --g) {
          guests.emplace_back([&of, runtime, token = stop.token(), guest_seed = random.next()] {
            guest(of, runtime, guest_seed, token);
          });
        }
        const cancel_binding shielded{cancel_token()};
        for (std::uint64_t i = 3 + random.below(10); i > 0; --i) {
          of.give(begin_here(of, random.next(), 4));
        }
        const std::int64_t enough =
            static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(of.fibers_max)));
        for (int i = 0; i < 300'000 && of.ran.load() < enough; ++i) (void)yield_now();
        // Performs that find no peer would wait permanently.
        (void)runtime.cancel();
        if (random.below(2) == 0) (void)stop.cancel();  // Else the guests race the end.
      },
      {.workers = 1 + random.below(3), .pools = pools});
  of.expect(ended.has_value(), "a run failed");
  // What the end has not waited for: guests, and the handles.
  (void)stop.cancel();
  guests.clear();
  of.given_away.clear();
  of.expect(of.spawned == of.ran, "a fiber was lost, or ran twice");
  of.expect(of.sent == of.received, "O-11: a value was lost, or arrived twice");
  of.expect(of.holders == 0, "a callable was not destroyed once");
}

}  // namespace

std::string fibers(run& r) {
  auto random = r.random(0);
  std::uint64_t lives = 0;
  std::int64_t spawned = 0;
  std::uint64_t waits = 0;
  while (r.goes_on()) {
    life now{.r = r, .fibers_max = 3000};
    one_life(now, random());
    ++lives;
    spawned += now.spawned;
    waits += now.waits;
  }
  return std::to_string(lives) + " runtimes, " + std::to_string(spawned) + " fibers, " +
         std::to_string(waits) + " waits";
}

}  // namespace bast::stress
