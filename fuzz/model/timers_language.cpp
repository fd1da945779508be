// SPDX-License-Identifier: Apache-2.0
#include "model/timers_language.hpp"

#include <algorithm>

namespace bast::model {

namespace {

constexpr word timers_words[] = {
    {"arm", true, 0x3fff}, {"advance", false, 0x3fff}, {"wake", false, 1},
    {"disarm", true},      {"step", false, 0x3fff},    {"deed", true, 0xffff},
};
static_assert(std::size(timers_words) == timers_op_kinds);

constexpr option_field timers_options[] = {{"start", 2}};

}  // namespace

const language timers_language{
    .name = "timers", .words = timers_words, .options = timers_options, .faults = 0};

std::uint64_t timers_start(std::uint16_t options) {
  // Nothing is before the first, nothing much after the last; the others are inside of digits.
  constexpr std::uint64_t starts[] = {0, 0x0fed'cba9'8765'4321, (std::uint64_t{1} << 60) - 100,
                                      UINT64_MAX - 5000};
  return starts[timers_language.option(options, "start")];
}

std::uint64_t timers_time::resolve(std::uint64_t now,
                                   const std::uint64_t (&last_given)[timers_places]) const {
  const unsigned shift = 6 * level;
  const std::uint64_t units = std::uint64_t{digit} << shift;
  switch (form) {
    case kind::after: return units > UINT64_MAX - now ? UINT64_MAX : now + units;
    case kind::before: return now - std::min(now, units);
    case kind::edge: {
      const std::uint64_t at = (now >> shift >> 6 << 6 << shift) + units;
      return at - std::min<std::uint64_t>(at, less);
    }
    case kind::equal: return last_given[digit % timers_places];
  }
  return now;
}

}  // namespace bast::model
