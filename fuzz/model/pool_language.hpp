// SPDX-License-Identifier: Apache-2.0
//
// The language of `pool` programs: all operations of a user on a coroutine pool and its handles,
// legal or not. Subjects are handles; two may refer to one coroutine, and most become stale.
#pragma once

#include "bast/coro.hpp"
#include "model/program.hpp"

namespace bast::model {

enum class pool_op : std::uint8_t {
  acquire,     // who = a new coroutine; the handle's earlier coroutine lives on in the pool
  start,       // value: the script of its body
  resume,      // value: the value passed to it
  take,        //
  release,     //
  abandon,     //
  set_data,    // value
  set_name,    // value: which name
  copy,        // value: the handle that becomes a copy of who
  forget,      // who = a handle to nothing
  inside,      // who is resumed and performs another operation (value) before it yields again
  elsewhere,   // value: an operation tried from another thread
  wrong_pool,  // released through another pool
  shrink,      //
  reserve,     // value: how many
  adopt,       //
  fault,       // value: which kernel call fails from here on
  mend,        // no call fails any more
  budget,      // value: how many pages the pool may still open; 0: all
  restart,     // destroys the pool with its contents, and creates it again
  check,       // every invariant of the pool
  make,        // who = a new coroutine that is suspended before its body; value: its script
};
inline constexpr std::size_t pool_op_kinds = static_cast<std::size_t>(pool_op::make) + 1;

/// See language::faults.
inline constexpr std::uint32_t pool_faults =
    mask_of(pool_op::fault) | mask_of(pool_op::mend) | mask_of(pool_op::budget);

extern const language pool_language;

/// The actions of a coroutine, packed into the value of `start` and `make`.
struct script {
  unsigned yields;  // 0 .. 3
  bool throws;      // it ends with an exception instead of a value
  enum class when_unwound : std::uint8_t { pass_on, swallow, replace } unwound;
  std::size_t depth;  // bytes of stack used before its first yield
  bool labelled;      // started under a label, which becomes its name

  static script of(std::uint16_t value);
};

/// The operation that `inside` performs, packed into its value.
op inner_op(std::uint16_t value);

/// The pool's options from the option bits.
coro_pool_options pool_options(std::uint16_t options);

// Compared by address, and a literal may have different ones in different translation units.
extern const char* const names[4];
extern const char* const label;

/// The value of the n-th yield of coroutine `id`, and its return value.
constexpr int yielded_value(int id, unsigned n) { return id * 8 + static_cast<int>(n); }
constexpr int returned_value(int id) { return id * 8 + 7; }

}  // namespace bast::model
