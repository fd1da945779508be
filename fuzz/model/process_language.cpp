// SPDX-License-Identifier: Apache-2.0
#include "model/process_language.hpp"

namespace bast::model {

namespace {

constexpr word process_words[] = {
    {"start", true, 4095},
    {"write", true, 8191},
    {"exit", true, 511},
    {"hold", true},
    {"drop", true},
    {"stubborn", true},
    {"steal", true},
    {"pump", false, 63},
    {"full"},
    {"complete", false, 255},
    {"shorten", false, 255},
    {"lie", false, 2047},
    {"stale", false, 255},
    {"unknown", false, 1023},
    {"tick", false, 1023},
    {"cancel", true},
    {"request", true},
    {"take", true, 8191},
    {"shut_down"},
    {"fault", false, 1023},
    {"mend"},
    {"check"},
};
static_assert(std::size(process_words) == process_op_kinds);

constexpr option_field process_fields[] = {{"ticks", 1}, {"wake", 1}, {"few", 1}, {"chain", 1}};

}  // namespace

const language process_language{.name = "process_driver",
                                .words = process_words,
                                .options = process_fields,
                                .faults = process_faults};

process_start process_choice(std::uint16_t value) {
  using std::chrono::microseconds;
  constexpr on_limit policies[] = {on_limit::error_and_kill, on_limit::truncate_and_drain,
                                   on_limit::backpressure, on_limit::error_and_kill};
  constexpr bytes limits[] = {bytes{1}, bytes{100}, bytes{5000}, unlimited_bytes};
  constexpr std::chrono::nanoseconds timeouts[] = {std::chrono::nanoseconds::max(), microseconds(0),
                                                   microseconds(1000), microseconds(50'000)};
  process_start out;
  out.own_group = (value >> 2 & 1) != 0;
  out.kill_group_on_exit = (value >> 3 & 1) != 0;
  out.output = {.limit = limits[value >> 6 & 3], .policy = policies[value >> 4 & 3]};
  out.errors = {.limit = limits[value >> 5 & 3], .policy = policies[value >> 7 & 3]};
  out.timeout = timeouts[value >> 8 & 3];
  out.grace = microseconds((value >> 10 & 1) != 0 ? 5000 : 0);
  out.drain_grace = microseconds((value >> 11 & 1) != 0 ? 10'000 : 0);
  return out;
}

unsigned captured_streams(std::uint16_t value) { return value & 3U; }

process_machine_options process_options(std::uint16_t options) {
  const auto get = [&](const char* field) { return process_language.option(options, field); };
  return {.processes_max = get("few") != 0 ? 2U : subjects_max,
          .timers = get("ticks") != 0 ? machine_timers::ticks : machine_timers::operations};
}

}  // namespace bast::model
