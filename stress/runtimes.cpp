// SPDX-License-Identifier: Apache-2.0
//
// Runtimes that live for microseconds, end after end: every thread is about to begin, sleep, wake
// another or leave (IO-9, IO-13). And a storm of spawns that idle workers take.
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "bast/sched.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/rendezvous.hpp"
#include "scenario.hpp"

namespace bast::stress {

namespace {

struct shared_handle {
  std::mutex lock;
  std::optional<runtime_handle> now;

  void set(std::optional<runtime_handle> next) {
    const std::scoped_lock held(lock);
    now = std::move(next);
  }
  std::optional<runtime_handle> get() {
    const std::scoped_lock held(lock);
    return now;
  }
};

/// Submits to whichever runtime lives now, or has just ended.
class submitters {
 public:
  submitters(run& r, shared_handle& at) : run_(r), at_(at) {
    for (std::uint64_t i = 0; i < 2; ++i) threads_.emplace_back([this, i] { submit(i); });
  }
  void end() {
    over_ = true;
    threads_.clear();
    if (accepted_ != ran_) run_.fail("IO-13: a fiber that was accepted has not run, or ran twice");
  }
  std::uint64_t accepted() const { return accepted_; }

 private:
  void submit(std::uint64_t number) {
    auto random = run_.random(number + 1);
    fiber<int> kept;
    while (!over_) {
      auto runtime = at_.get();
      if (!runtime) continue;
      auto body = [this, value = std::make_unique<int>(1)] {
        ran_ += static_cast<std::uint64_t>(*value);
        return *value;
      };
      auto made = runtime->spawn(std::move(body));
      if (!made) {
        if (made.error() != errc::closed) run_.fail("a guest's spawn failed");
        at_.set({});
        continue;
      }
      ++accepted_;
      switch (random() % 3) {
        case 0:
          if (made->join().value_or(0) != 1) run_.fail("a guest's join took another value");
          break;
        case 1: kept = std::move(*made); break;  // and gives up the one before
        default: break;
      }
      if (run_.planted("lost") && !is_lost_.exchange(true)) ++accepted_;
    }
  }

  run& run_;
  shared_handle& at_;
  std::atomic<bool> over_ = false;
  std::atomic<bool> is_lost_ = false;
  std::atomic<std::uint64_t> accepted_ = 0;
  std::atomic<std::uint64_t> ran_ = 0;
  std::vector<test::joined_thread> threads_;
};

void storm(run& r, std::uint64_t workers, std::uint64_t width) {
  std::atomic<std::uint64_t> ran = 0;
  const auto ended = bast::run(
      [&] {
        std::vector<fiber<void>> all;
        for (std::uint64_t i = 0; i < width; ++i) {
          all.push_back(spawn([&] {
                          auto inner = spawn([&] { ++ran; }).value();
                          if (!inner.join()) r.fail("a join failed");
                          ++ran;
                        }).value());
        }
        for (auto& each : all) {
          if (!each.join()) r.fail("a join failed");
        }
      },
      {.workers = workers});
  if (!ended || ran != 2 * width) r.fail("a fiber of the storm was lost");
}

}  // namespace

std::string runtimes(run& r) {
  shared_handle here;
  submitters guests(r, here);
  auto random = r.random(0);
  std::uint64_t lives = 0;
  while (r.goes_on()) {
    ++lives;
    const std::uint64_t workers = 1 + random() % 4;
    if (lives % 50 == 0) storm(r, workers, 2000);
    test::rendezvous<int> last;
    std::optional<test::joined_thread> sender;
    // The last wait is ended by a thread that is then still in its wake.
    if (random() % 2 == 0) {
      sender.emplace([&] {
        int value = 1;
        if (!perform(last.send(value))) r.fail("a thread's send failed");
      });
    }
    const std::uint64_t yields = random() % 30;
    const bool has_daemon = random() % 3 == 0;
    const auto ended = bast::run(
        [&] {
          here.set(runtime_handle::current().value());
          if (has_daemon) {
            (void)spawn(
                [] {
                  while (yield_now()) {
                  }
                },
                {.daemon = true});
          }
          for (std::uint64_t i = 0; i < yields; ++i) (void)yield_now();
          if (sender && perform(last.receive()).value_or(0) != 1) r.fail("a receive failed");
        },
        {.workers = workers});
    if (!ended) r.fail("a run failed");
    here.set({});
  }
  guests.end();
  return std::to_string(lives) + " runtimes, " + std::to_string(guests.accepted()) +
         " fibers of guests";
}

}  // namespace bast::stress
