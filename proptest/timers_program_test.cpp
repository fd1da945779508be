// SPDX-License-Identifier: Apache-2.0
//
// Laws about timers: of whole programs, and of sets of deadlines.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "bast/io.hpp"
#include "model/target.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

RC_GTEST_PROP(TimersProgram, AnyIsAnsweredAsTheLawsSay, (const any_timers_program& p)) {
  RC_ASSERT(run_timers(p.it, {}).complaint == "");
}

struct numbered : bast::internal::timer {
  std::size_t number = 0;
};

/// A time: equally many of each length, and often equal to another.
rc::Gen<std::uint64_t> times() {
  return rc::gen::resize(
      rc::kNominalSize,
      rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 64), rc::gen::arbitrary<std::uint64_t>()),
                   [](const std::pair<int, std::uint64_t>& raw) {
                     return (raw.second & 7) << raw.first >> (raw.second >> 3 & 1);
                   }));
}

/// Arms one timer for each deadline, removes some, and advances from stop to stop, which rise.
std::vector<std::size_t> order_of(const std::vector<std::uint64_t>& deadlines,
                                  const std::vector<bool>& removed,
                                  const std::vector<std::uint64_t>& stops) {
  bast::internal::wheel wheel;
  std::deque<numbered> timers(deadlines.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < timers.size(); ++i) {
    timers[i].number = i;
    wheel.arm(timers[i], deadlines[i]);
  }
  for (std::size_t i = 0; i < timers.size(); ++i) {
    if (removed[i]) wheel.disarm(timers[i]);
  }
  for (const std::uint64_t stop : stops) {
    while (const bast::internal::timer* const found = wheel.advance(stop)) {
      order.push_back(static_cast<const numbered*>(found)->number);
    }
    wheel.check_invariants();
  }
  return order;
}

RC_GTEST_PROP(Timers, OrderIsThatOfTheDeadlinesHoweverTheTimeAdvances, ()) {
  const auto deadlines = *rc::gen::container<std::vector<std::uint64_t>>(times());
  const auto removed =
      *rc::gen::container<std::vector<bool>>(deadlines.size(), rc::gen::arbitrary<bool>());
  auto stops = *rc::gen::container<std::vector<std::uint64_t>>(times());
  std::ranges::sort(stops);
  stops.push_back(UINT64_MAX);
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < deadlines.size(); ++i) {
    if (!removed[i]) expected.push_back(i);
  }
  // Not stable_sort: it uses what C++17 deprecated, and clang warns.
  std::ranges::sort(expected, {}, [&](std::size_t i) { return std::pair(deadlines[i], i); });
  RC_ASSERT(order_of(deadlines, removed, stops) == expected);
  RC_ASSERT(order_of(deadlines, removed, {UINT64_MAX}) == expected);
}

}  // namespace
}  // namespace bast::model
