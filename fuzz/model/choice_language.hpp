// SPDX-License-Identifier: Apache-2.0
//
// The language of `choice` programs: coroutines that perform trees of ops over channels, events and
// permits. Subjects are places of coroutines, sixteen.
#pragma once

#include "model/program.hpp"

namespace bast::model {

enum class choice_op : std::uint8_t {
  arm,      // value: one more arm of place who's tree
  clear,    // place who's tree is empty
  perform,  // a coroutine in place who performs the tree of place `value`, unless one does there
  poll,     // the thread polls the tree of place who
  fire,     // value: an event
  renew,    // value: an event for which no coroutine waits, a new one
  give,     // value: a permit, to one or to all
  cancel,   // the source of place who
  release,  // the coroutine of place who
  abandon,  // the same without unwinding
  run,      // every coroutine that can continue
};
inline constexpr std::size_t choice_op_kinds = static_cast<std::size_t>(choice_op::run) + 1;

extern const language choice_language;

inline constexpr std::size_t choice_places = 16;
inline constexpr std::size_t choice_channels = 3;
inline constexpr std::size_t choice_events = 3;
inline constexpr std::size_t choice_permits = 2;
/// More are ignored: a tree is small.
inline constexpr std::size_t choice_arms_max = 8;

enum class choice_leaf : std::uint8_t {
  send,     // the token of the place; receives if it has none
  receive,  //
  event,    //
  permit,   //
  always,
  never,
  receive_or_else,  // or at once without
  event_too,
};
enum class choice_wrapping : std::uint8_t {
  none,
  wrap,
  guard,
  nack,
  abort,
  bracket,
  last,          // finally
  failing_guard  // with its arms never made
};
/// How an arm is joined to the one before it.
enum class choice_join : std::uint8_t { flat, flat_too, nested, biased };

/// The value of `arm`.
struct choice_arm {
  choice_leaf leaf;
  unsigned object;        // reduced to those of its kind
  choice_wrapping inner;  // around the leaf
  choice_wrapping outer;  // around what it is joined with
  choice_join join;

  static choice_arm of(std::uint16_t value) {
    return {.leaf = static_cast<choice_leaf>(value & 7U),
            .object = value >> 3 & 3U,
            .inner = static_cast<choice_wrapping>(value >> 5 & 7U),
            .outer = static_cast<choice_wrapping>(value >> 8 & 7U),
            .join = static_cast<choice_join>(value >> 11 & 3U)};
  }
};

}  // namespace bast::model
