// SPDX-License-Identifier: Apache-2.0
#include "interleave/schedule.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "bast/base.hpp"

namespace bast::interleave::internal {

schedule::schedule(const options& chosen) : options_(chosen), random_state_(chosen.seed) {
  if (!options_.replay.empty()) read_replay();
}

void schedule::read_replay() {
  const char* at = options_.replay.data();
  const char* const end = at + options_.replay.size();
  while (true) {
    choice read = {};
    const bool foreseen = at != end && *at == '=';
    if (foreseen) read.foreseen.push_back(0);
    const auto [after, wrong] = foreseen ? std::from_chars(at + 1, end, read.foreseen[0])
                                         : std::from_chars(at, end, read.taken);
    if (wrong != std::errc() || (after != end && *after != '.')) {
      complaint_ = "the replay string is not numbers with dots between them";
      return;
    }
    path_.push_back(read);
    if (after == end) break;
    at = after + 1;
  }
  // Printing leaves out trailing zeros, except for a single one.
  while (!path_.empty() && path_.back().is_first()) path_.pop_back();
  given_ = path_.size();
}

void schedule::begin() {
  position_ = 0;
  departures_ = 0;
  longest_ = std::max(longest_, step_);
  step_ = 0;
  if (options_.strategy != strategy::pct) return;
  // Distinct, and above those that threads drop to.
  for (std::size_t i = 0; i < priority_.size(); ++i) priority_[i] = options_.depth + i;
  for (std::size_t i = priority_.size(); i > 1; --i) {
    std::swap(priority_[i - 1], priority_[random() % i]);
  }
  change_at_.assign(options_.depth > 0 ? options_.depth - 1 : 0, 0);
  for (std::uint64_t& at : change_at_) at = 1 + random() % longest_;
}

std::size_t schedule::choose_thread(std::span<const std::uint8_t> threads, bool preempts,
                                    std::uint64_t step) {
  step_ = step;
  const bool by_priority = options_.strategy == strategy::pct && options_.replay.empty();
  const std::size_t fresh =
      by_priority ? highest_priority(threads, preempts, step) : threads.size();
  const std::size_t taken = decide(threads.size(), preempts && spent() ? 1 : threads.size(), fresh);
  if (preempts && taken != 0) ++departures_;
  return taken;
}

std::size_t schedule::choose_departure(std::size_t count) {
  // PCT draws turns by priority, and one value in four at random.
  const bool first = options_.strategy == strategy::pct && options_.replay.empty() && random() % 4;
  const bool departs = !spent();
  const std::size_t taken = decide(count, departs ? count : 1, first ? 0 : count);
  if (complaint_.empty()) path_[position_ - 1].departs = departs;
  if (taken != 0) ++departures_;
  return taken;
}

std::uint64_t schedule::choose_load(std::size_t count, bool& future) {
  const std::size_t taken = choose_departure(count);
  future = complaint_.empty() && taken >= count;
  return future ? path_[position_ - 1].foreseen[taken - count] : taken;
}

void schedule::foresee(std::size_t position, std::uint64_t value) {
  choice& load = path_[position - 1];
  // What the bound forbade there is forbidden still.
  if (options_.strategy != strategy::exhaustive || !options_.replay.empty() || !load.departs)
    return;
  if (std::ranges::find(load.foreseen, value) == load.foreseen.end()) {
    load.foreseen.push_back(value);
  }
}

std::size_t schedule::choose(std::size_t count) { return decide(count, count, count); }

// `fresh` is the choice if none is given; `count` leaves it to the strategy.
std::size_t schedule::decide(std::size_t count, std::size_t allowed, std::size_t fresh) {
  BAST_ASSERT(position_ <= path_.size());  // I1
  if (position_ < given_) {
    choice& known = path_[position_++];  // I2
    if (known.count == 0) {
      known.count = static_cast<std::uint8_t>(count);
      known.allowed = known.count;
      if (!known.foreseen.empty()) known.taken = known.count;
    }
    if (known.count != count || known.taken >= count + known.foreseen.size()) {
      complaint_ = "choice " + std::to_string(position_) + " was among " +
                   std::to_string(std::max<unsigned>(known.count, known.taken + 1U)) +
                   " and is among " + std::to_string(count) +
                   ": the test is not deterministic, or the choices belong to another one";
      return 0;
    }
    return known.taken;
  }
  if (fresh == count) {
    const bool walks = options_.strategy != strategy::exhaustive && options_.replay.empty();
    fresh = walks ? random() % count : 0;
  }
  path_.push_back({static_cast<std::uint8_t>(fresh), static_cast<std::uint8_t>(count),
                   static_cast<std::uint8_t>(allowed)});
  ++position_;
  return fresh;
}

std::size_t schedule::highest_priority(std::span<const std::uint8_t> threads, bool preempts,
                                       std::uint64_t step) {
  for (std::size_t i = 0; i < change_at_.size(); ++i) {
    if (step < change_at_[i]) continue;
    change_at_[i] = UINT64_MAX;
    if (preempts) priority_[threads[0]] = i;
  }
  std::size_t best = 0;
  for (std::size_t i = 1; i < threads.size(); ++i) {
    if (priority_[threads[i]] > priority_[threads[best]]) best = i;
  }
  return best;
}

bool schedule::advance() {
  if (position_ < given_) {
    complaint_ = "the test asked for " + std::to_string(position_) + " choices, and " +
                 std::to_string(given_) +
                 " were given: it is not deterministic, or they belong to another one";
    return false;
  }
  if (!options_.replay.empty()) return false;
  if (options_.strategy != strategy::exhaustive) {
    path_.clear();
    return true;
  }
  const auto is_done = [](const choice& c) {
    return std::size_t{c.taken} + 1 >= c.allowed + c.foreseen.size();
  };
  while (!path_.empty() && is_done(path_.back())) path_.pop_back();
  if (path_.empty()) return false;
  ++path_.back().taken;
  given_ = path_.size();
  return true;
}

std::string schedule::print() const {
  std::size_t end = position_;
  while (end > 0 && path_[end - 1].is_first()) --end;
  if (end == 0) return "0";
  std::string out;
  for (std::size_t i = 0; i < end; ++i) {
    if (i != 0) out += '.';
    const choice& c = path_[i];
    const bool foreseen = c.taken >= c.count && !c.foreseen.empty();
    out += foreseen ? "=" + std::to_string(c.foreseen[c.taken - c.count]) : std::to_string(c.taken);
  }
  return out;
}

// SplitMix64: Steele, Lea, Flood, OOPSLA 2014.
std::uint64_t schedule::random() noexcept {
  random_state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = random_state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace bast::interleave::internal
