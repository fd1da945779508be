// SPDX-License-Identifier: Apache-2.0
#include "model/pool_language.hpp"

namespace bast::model {

namespace {

constexpr std::uint16_t any = 0xffff;

constexpr word pool_words[] = {
    {"acquire", true},
    {"start", true, any},
    {"resume", true, any},
    {"take", true},
    {"release", true},
    {"abandon", true},
    {"set_data", true, any},
    {"set_name", true, 3},
    {"copy", true, subjects_max - 1},
    {"forget", true},
    {"inside", true, any},
    {"elsewhere", true, 3},
    {"wrong_pool", true},
    {"shrink"},
    {"reserve", false, 31},
    {"adopt"},
    {"fault", false, 1023},
    {"mend"},
    {"budget", false, 63},
    {"restart"},
    {"check"},
    {"make", true, any},
};
static_assert(std::size(pool_words) == pool_op_kinds);

constexpr option_field pool_fields[] = {
    {"scrub", 2}, {"protection", 1}, {"measure", 1}, {"colour", 1}, {"demand", 1},
    {"limit", 2}, {"retain", 1},     {"float", 1},   {"max", 2},
};

/// Operations inside a running coroutine: none that destroys its pool, and no further nesting.
constexpr pool_op inner_kinds[] = {
    pool_op::acquire,  pool_op::start,    pool_op::resume, pool_op::take,
    pool_op::release,  pool_op::abandon,  pool_op::adopt,  pool_op::shrink,
    pool_op::set_data, pool_op::set_name, pool_op::copy,   pool_op::reserve,
    pool_op::make,     pool_op::release,  pool_op::resume, pool_op::forget,
};

}  // namespace

const char* const names[4] = {"ash", "birch", "cedar", "willow"};
const char* const label = "labelled";

const language pool_language{
    .name = "pool", .words = pool_words, .options = pool_fields, .faults = pool_faults};

script script::of(std::uint16_t value) {
  constexpr when_unwound endings[] = {when_unwound::pass_on, when_unwound::swallow,
                                      when_unwound::replace, when_unwound::pass_on};
  return {.yields = value & 3U,
          .throws = (value >> 2 & 1) != 0,
          .unwound = endings[value >> 3 & 3],
          // Up to half of the smallest limit; a quarter of the scripts are shallow.
          .depth = (value >> 6 & 3) == 0 ? 0 : std::size_t{value >> 8 & 0xffU} * 96,
          .labelled = (value >> 5 & 1) != 0};
}

op inner_op(std::uint16_t value) {
  return reduced({.kind = static_cast<std::uint8_t>(inner_kinds[value & 15]),
                  .who = static_cast<std::uint8_t>(value >> 4 & 15),
                  // The low bits matter in most words, the high ones are a script's depth.
                  .value = static_cast<std::uint16_t>((value >> 8) | (value & 0xff00))},
                 pool_language);
}

coro_pool_options pool_options(std::uint16_t options) {
  const auto get = [&](const char* field) { return pool_language.option(options, field); };
  constexpr bytes limits[] = {bytes{64 << 10}, bytes{192 << 10}, bytes{256 << 10}, bytes{1 << 20}};
  constexpr std::size_t maxima[] = {4, 8, 12, 70};  // The last needs a second chunk of blocks.
  constexpr stack_scrub scrubs[] = {stack_scrub::none, stack_scrub::zero_used, stack_scrub::poison,
                                    stack_scrub::none};
  coro_pool_options chosen;
  chosen.max_coros = maxima[get("max")];
  chosen.own_float_control = get("float") != 0;
  chosen.stack.limit = limits[get("limit")];
  chosen.stack.retain = get("retain") != 0 ? bytes{32 << 10} : bytes{64 << 10};
  chosen.stack.tier = get("protection") != 0 ? stack_tier::protection : stack_tier::automatic;
  chosen.stack.growth = get("demand") != 0 ? stack_growth::demand : stack_growth::fault;
  chosen.stack.scrub = scrubs[get("scrub")];
  chosen.stack.measure = get("measure") == 0;
  chosen.stack.colour = get("colour") == 0;
  return chosen;
}

}  // namespace bast::model
