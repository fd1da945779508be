// SPDX-License-Identifier: Apache-2.0
//
// `schedule`: decides each choice. It knows threads only by number.
//
//   I1  path_ up to position_ is the list of choices so far in this schedule.
//   I2  Depth first: the schedule begins with path_, and continues with the first option each time.
//
// Choice strings give the option taken at each point with more than one, counted among all of them,
// whatever the bound allows, or a foreseen value, as "=7". So they mean the same under every
// strategy.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "interleave/clock.hpp"
#include "interleave/explore.hpp"

namespace bast::interleave::internal {

class schedule {
 public:
  explicit schedule(const options& chosen);

  /// The next schedule starts.
  void begin();
  /// One of two or more threads. If `preempts`, the first is the running one: any other choice then
  /// takes its turn away. `step` counts the accesses of this schedule.
  std::size_t choose_thread(std::span<const std::uint8_t> threads, bool preempts,
                            std::uint64_t step);
  /// One of so many values, of which the first is sequentially consistent.
  std::size_t choose_departure(std::size_t count);
  /// The same for a load that may also read what is stored only later, if a schedule with the same
  /// choices before this one has shown that: `future` is set then, and the result is the value.
  std::uint64_t choose_load(std::size_t count, bool& future);
  /// The number of choices so far: names the last one for foresee().
  std::size_t position() const noexcept { return position_; }
  /// The choice of that position, of a load, could read this value. Exhaustive search only.
  void foresee(std::size_t position, std::uint64_t value);
  /// One of two or more alternatives that do not differ in departures.
  std::size_t choose(std::size_t count);
  /// Ends the schedule. False if there is none left.
  bool advance();

  /// Not empty if the test took another course than before: it is not deterministic, or a replay
  /// belongs to another test.
  const std::string& complaint() const noexcept { return complaint_; }
  std::string print() const;

 private:
  struct choice {
    std::uint8_t taken;
    std::uint8_t count;    // 0: not known, in a replay
    std::uint8_t allowed;  // the first so many are within the bound; more are foreseen values
    bool departs = false;  // Another one than the first was within the bound.
    std::vector<std::uint64_t> foreseen = {};

    // In a replay `count` is not known yet; a foreseen value is never the first.
    bool is_first() const noexcept { return taken == 0 && (count != 0 || foreseen.empty()); }
  };

  void read_replay();
  bool spent() const noexcept {
    return options_.strategy == strategy::exhaustive && departures_ >= options_.bound;
  }
  std::size_t decide(std::size_t count, std::size_t allowed, std::size_t fresh);
  std::size_t highest_priority(std::span<const std::uint8_t> threads, bool preempts,
                               std::uint64_t step);
  std::uint64_t random() noexcept;

  const options& options_;
  std::vector<choice> path_;
  std::size_t position_ = 0;
  std::size_t given_ = 0;    // The part of path_ that this schedule has to follow.
  unsigned departures_ = 0;  // preemptions among them
  std::string complaint_;

  std::uint64_t random_state_;
  std::array<std::uint64_t, threads_max> priority_ = {};
  std::vector<std::uint64_t> change_at_;  // PCT: the steps at which a priority drops
  std::uint64_t longest_ = 16;            // a guess until one has been run
  std::uint64_t step_ = 0;
};

}  // namespace bast::interleave::internal
