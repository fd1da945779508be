// SPDX-License-Identifier: Apache-2.0
//
// `explore`: runs a small concurrent test under many schedules, or under all of them.
//
//   using bast::interleave::model_atomics;
//   const auto r = bast::interleave::explore({}, [](bast::interleave::world& w) {
//     mailbox<model_atomics> box;
//     w.spawn([&] { box.put(7); });
//     w.spawn([&] { w.check(box.take() != 8, "8 was never put"); });
//     w.run();
//     w.check(box.empty(), "what was put was taken");
//   });
//   EXPECT_EQ(r.failure, "");
//   EXPECT_TRUE(r.exhausted);
//
// The test is called once per schedule and must do the same each time: no clock, no addresses in
// decisions, nothing left over from the schedule before. Threads are virtual: coroutines on the
// calling thread, which switch at accesses to model atomics and nowhere else.
#pragma once

#include <climits>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>

#include "interleave/cell.hpp"

namespace bast::interleave {

enum class strategy : std::uint8_t {
  exhaustive,   // depth first, each schedule once, within bound
  pct,          // random priorities that change depth - 1 times; Burckhardt et al., ASPLOS 2010
  random_walk,  // each choice uniformly
};

inline constexpr unsigned unbounded = UINT_MAX;

struct options {
  interleave::strategy strategy = strategy::exhaustive;
  /// How often a schedule may depart from running one thread after the other with sequentially
  /// consistent values: a turn taken from a thread that could continue, a value that is not the
  /// latest, a spurious failure. Most bugs need two preemptions: Musuvathi and Qadeer, PLDI 2007.
  /// Exhaustive search only.
  unsigned bound = 2;
  /// The number of ordering constraints that a bug may need. PCT only.
  unsigned depth = 3;
  std::uint64_t seed = 1;
  /// Ends after so many schedules or seconds, whichever comes first.
  std::uint64_t schedules = 1'000'000;
  double seconds = 60;
  /// A schedule with more accesses fails: a loop without relax(), a livelock.
  std::uint64_t steps = 10'000;
  /// The choices of a failure, to run that schedule only. Of any strategy.
  std::string replay = {};
  /// Failures are written to standard error as they happen, unless they are expected.
  bool quiet = false;
};

struct result {
  std::uint64_t schedules = 0;
  /// All schedules within the bound were run, and none failed.
  bool exhausted = false;
  /// The reason of the failure; empty if there was none.
  std::string failure;
  /// For options::replay.
  std::string choices;
  /// The last accesses before the failure, one per line.
  std::string trace;
};

namespace internal {
class machine;
}

/// The interface of a test. Only inside the test and its threads.
class world {
 public:
  /// Adds a thread, which starts with run(). At most eight in a schedule, by the test itself.
  void spawn(std::function<void()> body);
  /// Runs the spawned threads until all have ended. Their actions happen before its return. Does
  /// not return from a schedule that fails: the test is unwound.
  void run();
  /// Fails the schedule unless `holds`, and does not return then.
  void check(bool holds, const char* what,
             std::source_location where = std::source_location::current());
  /// The name of `object` in reports; static lifetime.
  void name(internal::cell& object, const char* text) noexcept { object.set_name(text); }
  /// The running thread: 0 in the test itself, then in the order of spawn.
  unsigned thread() const noexcept;
  /// After run(). False if a load has read a value that nobody has stored in the end: the schedule
  /// was none, its results mean nothing, and its checks do not count.
  bool is_possible() const noexcept;
  /// The running thread's accesses to atomics so far: what a wait-free call bounds.
  std::uint64_t accesses() const noexcept;

 private:
  friend class internal::machine;
  explicit world(internal::machine& under) noexcept : machine_(under) {}
  internal::machine& machine_;
};

/// Runs `test` until a schedule fails, all have been run, or the budget is spent. Not reentrant;
/// several OS threads may explore separately.
result explore(const options& chosen, const std::function<void(world&)>& test);

}  // namespace bast::interleave
