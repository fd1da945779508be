// SPDX-License-Identifier: Apache-2.0
//
// `scenario`: runs for some seconds on several threads and must leave the process unchanged. The
// scheduler chooses the timing: a seed repeats the programs, not their interleaving.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace bast::stress {

/// One run of one scenario. All functions are thread-safe.
class run {
 public:
  struct options {
    const char* scenario;
    double seconds;
    std::uint64_t seed;
    std::string_view plant;  // the bug to commit; empty: none
  };
  explicit run(const options& chosen)
      : options_(chosen),
        end_(std::chrono::steady_clock::now() +
             std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                 std::chrono::duration<double>(chosen.seconds))) {}

  /// False if the time is over or something was wrong.
  bool goes_on() const { return !failed() && std::chrono::steady_clock::now() < end_; }
  /// Reports what was wrong and how to repeat it. Only the first failure counts.
  void fail(const std::string& what);
  bool failed() const { return failed_.load(); }
  bool planted(std::string_view bug) const { return options_.plant == bug; }
  /// The random numbers of the n-th thread, in its n-th life.
  std::mt19937_64 random(std::uint64_t thread, std::uint64_t life = 0) const {
    std::seed_seq all{options_.seed & 0xffffffff, options_.seed >> 32, thread, life};
    return std::mt19937_64(all);
  }

 private:
  options options_;
  std::chrono::steady_clock::time_point end_;
  std::atomic<bool> failed_ = false;
  std::mutex one_at_a_time_;
};

struct scenario {
  const char* name;
  /// Runs until the time is over; returns a short summary of the work.
  std::string (*perform)(run& r);
  /// Why it cannot run in this build; null if it can.
  const char* impossible;
};
std::span<const scenario> scenarios();

std::string pools(run& r);
std::string growth(run& r);
std::string signals(run& r);
std::string fork(run& r);
std::string threads(run& r);
std::string cancels(run& r);
std::string processes(run& r);
std::string process_faults(run& r);
std::string fibers(run& r);
std::string runtimes(run& r);

/// One more than the cores, so that threads are preempted anywhere, and never fewer than three.
unsigned thread_count();

}  // namespace bast::stress
