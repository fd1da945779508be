// SPDX-License-Identifier: Apache-2.0
//
// `random_program`: a program of the fuzzers' languages as an argument of a property.
//
//   RC_GTEST_PROP(Pool, Something, (const calm_pool_program& p)) { ... p.it.ops ... }
//
// The raw operations pass through the fuzzers' decoder, so a property's finding is a program for
// bast_replay, and is printed as one. Operations are shrunk one by one, and lists of them by
// leaving some out.
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <ostream>
#include <tuple>
#include <utility>
#include <vector>

#include "model/cancel_language.hpp"
#include "model/choice_language.hpp"
#include "model/command_language.hpp"
#include "model/growth_language.hpp"
#include "model/pool_language.hpp"
#include "model/process_language.hpp"
#include "model/program.hpp"
#include "model/sched_language.hpp"
#include "model/scope_language.hpp"
#include "model/timers_language.hpp"

namespace bast::model {

/// A program without the kinds of `LeftOut`.
template <const language& Words, std::uint32_t LeftOut = 0>
struct random_program {
  program it;
};

using any_pool_program = random_program<pool_language>;
using calm_pool_program = random_program<pool_language, pool_faults>;
using any_growth_program = random_program<growth_language>;
using any_cancel_program = random_program<cancel_language>;
using calm_cancel_program = random_program<cancel_language, cancel_faults>;
using any_process_program = random_program<process_language>;
using calm_process_program = random_program<process_language, process_faults>;
using any_timers_program = random_program<timers_language>;
using any_choice_program = random_program<choice_language>;
using any_sched_program = random_program<sched_language>;
using any_scope_program = random_program<scope_language>;
/// Nothing is started: the resulting execve is compared.
using any_command_program = random_program<command_language, mask_of(command_op::start)>;
using calm_command_program =
    random_program<command_language, mask_of(command_op::start) | command_faults>;

template <const language& Words, std::uint32_t LeftOut>
void showValue(const random_program<Words, LeftOut>& p, std::ostream& out) {
  out << print(p.it, Words);
}

/// The whole range at any size: a kind is no better for being small.
template <class T>
rc::Gen<T> anything() {
  return rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<T>());
}

inline rc::Gen<op> raw_operations() {
  return rc::gen::map(
      rc::gen::tuple(anything<std::uint8_t>(), anything<std::uint8_t>(), anything<std::uint16_t>()),
      [](const std::tuple<std::uint8_t, std::uint8_t, std::uint16_t>& raw) {
        const auto [kind, who, value] = raw;
        return op{.kind = kind, .who = who, .value = value};
      });
}

/// Every language begins with its five most common kinds, without which little happens.
inline constexpr unsigned common_kinds = 5;

/// How a program's raw operations are adjusted before they are decoded.
struct habits {
  bool swarm;             // only some kinds, and the common ones
  std::uint32_t allowed;  // which, if swarm
  std::uint8_t subjects;  // fewer collide more often
};

inline program bend(std::vector<op> ops, std::uint16_t options, const habits& of_program) {
  constexpr std::uint32_t common = (std::uint32_t{1} << common_kinds) - 1;
  for (op& o : ops) {
    o.who = static_cast<std::uint8_t>(o.who % (1 + of_program.subjects % subjects_max));
    // The upper half of the range is not needed; it becomes the common kinds.
    if (o.kind >= 128) o.kind = static_cast<std::uint8_t>(o.kind % common_kinds);
  }
  return {.allowed = of_program.swarm ? of_program.allowed | common : 0,
          .options = options,
          .ops = std::move(ops)};
}

inline rc::Gen<program> programs(const language& words, std::uint32_t left_out) {
  constexpr double longer = 3;
  auto operations = rc::gen::scale(longer, rc::gen::container<std::vector<op>>(raw_operations()));
  auto manner = rc::gen::map(
      rc::gen::tuple(anything<bool>(), anything<std::uint32_t>(), anything<std::uint8_t>()),
      [](const std::tuple<bool, std::uint32_t, std::uint8_t>& raw) {
        const auto [swarm, allowed, subjects] = raw;
        return habits{.swarm = swarm, .allowed = allowed, .subjects = subjects};
      });
  return rc::gen::map(
      rc::gen::tuple(std::move(operations), anything<std::uint16_t>(), std::move(manner)),
      [&words, left_out](std::tuple<std::vector<op>, std::uint16_t, habits>&& raw) {
        auto& [ops, options, of_program] = raw;
        program decoded = *decode(encode(bend(std::move(ops), options, of_program)), words);
        leave_out(decoded, left_out);
        return decoded;
      });
}

}  // namespace bast::model

namespace rc {

template <const bast::model::language& Words, std::uint32_t LeftOut>
struct Arbitrary<bast::model::random_program<Words, LeftOut>> {
  using random_program = bast::model::random_program<Words, LeftOut>;
  static Gen<random_program> arbitrary() {
    return gen::map(bast::model::programs(Words, LeftOut),
                    [](bast::model::program&& p) { return random_program{std::move(p)}; });
  }
};

}  // namespace rc
