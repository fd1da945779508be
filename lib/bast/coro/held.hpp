// SPDX-License-Identifier: Apache-2.0
//
// `held`: what protects an operation on a coroutine from the user's code that it calls in its
// middle: a value's conversion or move, the callable's, the destructor of a result, the sink. That
// code may use every handle, this coroutine's too. Meanwhile the coroutine counts as running, so
// that nobody can start, continue, take or release it, and its pool cannot be adopted or destroyed
// (F-1): when the operation goes on, everything that it has looked at still is what it was.
#pragma once

#include <type_traits>

#include "bast/coro/block.hpp"

namespace bast::internal {

class held {
 public:
  explicit held(coro_block& block) noexcept : block_(block), state_(state_of(block.tag)) {
    if (BAST_MUTANT(not_held)) return;
    block.tag = with_state(block.tag, coro_state::running);
  }
  // Flags that were set meanwhile stay.
  ~held() { block_.tag = with_state(block_.tag, state_); }
  held(const held&) = delete;
  held& operator=(const held&) = delete;

 private:
  coro_block& block_;
  coro_state state_;
};

/// Where the type alone says that no code of the user's runs.
struct not_needed {
  explicit not_needed(coro_block&) noexcept {}
};

template <bool RunsUserCode>
using held_if = std::conditional_t<RunsUserCode, held, not_needed>;

}  // namespace bast::internal
