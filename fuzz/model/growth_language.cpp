// SPDX-License-Identifier: Apache-2.0
#include "model/growth_language.hpp"

namespace bast::model {

namespace {

// In units of 64 bytes, a quarter of a mebibyte: deep enough for every limit below.
constexpr std::uint16_t depth_max = 4096;

constexpr word growth_words[] = {
    {"spawn", true},
    {"recurse", true, 1023},
    {"back", true},
    {"touch", true, depth_max},
    {"fill", true, depth_max},
    {"throw_through", true, 63},
    {"read", true, depth_max},
    {"signal", true, 1},
    {"ask", true, depth_max},
    {"unwind", true},
    {"abandon", true},
    {"probe", true},
    {"hop", false, 63},
    {"shrink"},
    {"fault", false, 1023},
    {"mend"},
    {"budget", false, 63},
    {"restart"},
    {"check"},
};
static_assert(std::size(growth_words) == growth_op_kinds);

constexpr option_field growth_fields[] = {
    {"scrub", 2},  {"protection", 1}, {"measure", 1}, {"colour", 1},
    {"demand", 1}, {"limit", 2},      {"window", 1},  {"retain", 1},
};

}  // namespace

const language growth_language{
    .name = "growth", .words = growth_words, .options = growth_fields, .faults = growth_faults};

frames frames_of(std::uint16_t value) {
  // Small, about a page, several pages, and more than the probes of one frame reach.
  constexpr std::size_t sizes[] = {32,   100,  300,  700,   1500,  3000,  4000,  4096,
                                   5000, 8000, 8192, 12000, 16000, 20000, 33000, 66000};
  return {.count = 1 + (value & 63U), .size = sizes[value >> 6 & 15]};
}

coro_pool_options growth_options(std::uint16_t options) {
  const auto get = [&](const char* field) { return growth_language.option(options, field); };
  constexpr bytes limits[] = {bytes{128 << 10}, bytes{192 << 10}, bytes{512 << 10}, bytes{1 << 20}};
  constexpr stack_scrub scrubs[] = {stack_scrub::none, stack_scrub::zero_used, stack_scrub::poison,
                                    stack_scrub::zero_used};
  coro_pool_options chosen;
  chosen.max_coros = subjects_max;
  chosen.stack.limit = limits[get("limit")];
  chosen.stack.window = get("window") != 0 ? bytes{64 << 10} : bytes{32 << 10};
  chosen.stack.retain = get("retain") != 0 ? chosen.stack.window : bytes{96 << 10};
  chosen.stack.tier = get("protection") != 0 ? stack_tier::protection : stack_tier::automatic;
  chosen.stack.growth = get("demand") != 0 ? stack_growth::demand : stack_growth::fault;
  chosen.stack.scrub = scrubs[get("scrub")];
  chosen.stack.measure = get("measure") == 0;
  chosen.stack.colour = get("colour") == 0;
  return chosen;
}

}  // namespace bast::model
