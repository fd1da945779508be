// SPDX-License-Identifier: Apache-2.0
#include "model/combined_language.hpp"

namespace bast::model {

namespace {

constexpr std::uint16_t any_value = 0xffff;

constexpr word combined_words[] = {
    {"source", true, 63},
    {"cancel", true, 6},
    {"drop", true},
    {"deadline", true, deadline_never},
    {"shield", true, 1},
    {"listen", true, 2047},
    {"deafen", true},
    {"order", true, 16383},
    {"start", true, any_value},
    {"resume", true},
    {"take", true},
    {"release", true},
    {"abandon", true},
    {"peek", true},
    {"inside", true, any_value},
    {"write", true, 4095},
    {"exit", true, 1023},
    {"stubborn", true},
    {"hold", true},
    {"let_go", true},
    {"tick", false, 7},
    {"restart"},
    {"reboot"},
    {"fault", false, 1023},
    {"mend"},
    {"check"},
};
static_assert(std::size(combined_words) == combined_op_kinds);

constexpr option_field combined_fields[] = {
    {"ticks", 1}, {"few", 1}, {"order", 2}, {"slow", 1}, {"scrub", 1},
};

/// Operations inside a running coroutine: none that destroys its pool or its driver, and no further
/// nesting. Time passes outside.
constexpr combined_op combined_inner_kinds[] = {
    combined_op::cancel,  combined_op::release, combined_op::start,  combined_op::resume,
    combined_op::abandon, combined_op::exit,    combined_op::source, combined_op::listen,
    combined_op::deafen,  combined_op::drop,    combined_op::write,  combined_op::take,
    combined_op::peek,    combined_op::shield,  combined_op::cancel, combined_op::start,
};

}  // namespace

const language combined_language{.name = "combined",
                                 .words = combined_words,
                                 .options = combined_fields,
                                 .faults = combined_faults};

combined_deed combined_deed::of(std::uint16_t value) {
  constexpr kind kinds[] = {kind::nothing, kind::cancel, kind::deafen, kind::resume,
                            kind::peek,    kind::drop,   kind::resume, kind::cancel};
  return {.on = value & 15U, .what = kinds[value >> 4 & 7], .argument = value >> 7 & 15U};
}

combined_order combined_order::of(std::uint16_t value) {
  using std::chrono::nanoseconds;
  const auto units = [](std::int64_t count) { return nanoseconds(count * unit_ns); };
  const nanoseconds timeouts[] = {nanoseconds::max(), units(1), units(4), nanoseconds::max()};
  combined_order out{};
  out.start.output = {
      .limit = (value & 1) != 0 ? bytes{100} : unlimited_bytes,
      .policy = (value & 2) != 0 ? on_limit::truncate_and_drain : on_limit::error_and_kill};
  out.start.errors = {.limit = (value & 4) != 0 ? bytes{100} : unlimited_bytes,
                      .policy = out.start.output.policy};
  out.start.timeout = timeouts[value >> 3 & 3];
  out.start.grace = units((value >> 5 & 1) != 0 ? 0 : 2);
  // Never zero: no law orders the end of a stream and the end of that time.
  out.start.drain_grace = units((value >> 6 & 1) != 0 ? 3 : 1);
  out.start.own_group = (value >> 7 & 1) != 0;
  out.start.kill_group_on_exit = (value >> 8 & 1) != 0;
  out.errors = (value & 4) != 0;
  out.own_token = (value >> 9 & 1) != 0;
  out.token = value >> 10 & 15U;
  return out;
}

combined_script combined_script::of(std::uint16_t value) {
  constexpr unsigned counts[] = {0, 1, 2, 1};
  constexpr when_unwound endings[] = {when_unwound::pass_on, when_unwound::swallow,
                                      when_unwound::replace, when_unwound::pass_on};
  return {.source = value & 15U,
          .bound = (value >> 4 & 1) != 0,
          .hooked = (value >> 5 & 1) != 0,
          .self_waker = (value >> 6 & 1) != 0,
          .yields = counts[value >> 7 & 3],
          .processes = counts[value >> 9 & 3],
          .cancellable = (value >> 11 & 1) != 0,
          .throws = (value >> 12 & 1) != 0,
          .unwound = endings[value >> 13 & 3],
          .deep = (value >> 15 & 1) != 0};
}

op combined_inner(std::uint16_t value) {
  return reduced({.kind = static_cast<std::uint8_t>(combined_inner_kinds[value & 15]),
                  .who = static_cast<std::uint8_t>(value >> 4 & 15),
                  .value = static_cast<std::uint16_t>((value >> 8) | (value & 0xff00))},
                 combined_language);
}

combined_choice combined_options(std::uint16_t options) {
  const auto get = [&](const char* field) { return combined_language.option(options, field); };
  combined_choice chosen{};
  chosen.pool.max_coros = get("few") != 0 ? 3 : coro_places;
  chosen.pool.stack.scrub = get("scrub") != 0 ? stack_scrub::zero_used : stack_scrub::none;
  chosen.timers = get("ticks") != 0 ? machine_timers::ticks : machine_timers::operations;
  chosen.order = get("order");
  chosen.slow = get("slow") != 0;
  return chosen;
}

}  // namespace bast::model
