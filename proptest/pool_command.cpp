// SPDX-License-Identifier: Apache-2.0
#include "pool_command.hpp"

#include <utility>
#include <vector>

#include "programs.hpp"

namespace bast::model {

namespace {

using kinds = std::vector<std::pair<std::size_t, pool_op>>;  // with weights

/// The operations that a coroutine in `state` allows (table F-1).
kinds allowed_by(coro_state state) {
  switch (state) {
    case coro_state::ready: return {{8, pool_op::start}, {1, pool_op::release}};
    case coro_state::suspended:
      return {{6, pool_op::resume},  {4, pool_op::inside},   {2, pool_op::release},
              {1, pool_op::abandon}, {1, pool_op::set_name}, {1, pool_op::set_data}};
    case coro_state::finished: return {{3, pool_op::take}, {2, pool_op::release}};
    default: return {{3, pool_op::acquire}, {1, pool_op::make}};
  }
}

op make(pool_op kind, std::uint8_t who, std::uint16_t value) {
  return reduced({.kind = static_cast<std::uint8_t>(kind), .who = who, .value = value},
                 pool_language);
}

/// All kinds except those that let calls fail; restart rarely, as it ends everything.
kinds all_kinds() {
  kinds all;
  for (std::size_t i = 0; i < pool_op_kinds; ++i) {
    const auto kind = static_cast<pool_op>(i);
    if ((pool_faults & mask_of(kind)) == 0)
      all.emplace_back(kind == pool_op::restart ? 1 : 8, kind);
  }
  return all;
}

pool_op pick(const kinds& weighted) {
  std::size_t total = 0;
  for (const auto& [weight, kind] : weighted) total += weight;
  auto ticket = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::size_t>(0, total));
  for (const auto& [weight, kind] : weighted) {
    if (ticket < weight) return kind;
    ticket -= weight;
  }
  return weighted.front().second;
}

op command_for(const std::array<coro_state, subjects_max>& states) {
  std::vector<std::uint8_t> alive;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i] != coro_state::free) alive.push_back(static_cast<std::uint8_t>(i));
  }
  // A quarter of the subjects is drawn from all, to create the first live ones.
  const bool any_subject = alive.empty() || *anything<std::uint8_t>() % 4 == 0;
  const std::uint8_t who = any_subject
                               ? static_cast<std::uint8_t>(*anything<std::uint8_t>() % subjects_max)
                               : *rc::gen::elementOf(alive);
  const bool suits = *anything<std::uint8_t>() % 4 != 0;
  return make(pick(suits ? allowed_by(states[who]) : all_kinds()), who, *anything<std::uint16_t>());
}

}  // namespace

rc::Gen<any_command> commands_for(const pool_model& state, pool_law beyond) {
  std::array<coro_state, subjects_max> states{};
  for (std::size_t i = 0; i < states.size(); ++i) states[i] = state.state_of(i);
  return rc::gen::exec([states, beyond]() -> any_command {
    return std::make_shared<const pool_command>(command_for(states), beyond);
  });
}

void check_commands(std::uint16_t options, pool_law beyond) {
  const coro_pool_options chosen = pool_options(options);
  pool_under_test under_test(chosen);
  RC_ASSERT(under_test.machine.complaint() == "");
  rc::state::check(pool_model(chosen), under_test,
                   [beyond](const pool_model& state) { return commands_for(state, beyond); });
  under_test.machine.end();
  RC_ASSERT(under_test.machine.complaint() == "");
  const auto several = [&](pool_op kind) {
    return under_test.performed[static_cast<std::size_t>(kind)] > 1;
  };
  RC_CLASSIFY(several(pool_op::start));
  RC_CLASSIFY(several(pool_op::inside));
  RC_CLASSIFY(several(pool_op::release));
  RC_CLASSIFY(several(pool_op::take));
}

}  // namespace bast::model
