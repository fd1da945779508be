// SPDX-License-Identifier: Apache-2.0
//
// `held`: protects an operation on a coroutine from the user code that it calls: the conversion or
// move of a value or callable, the destructor of a result, the sink. That code may use every
// handle, including this coroutine's. Meanwhile the coroutine counts as running: no code can start,
// resume, take or release it, or adopt or destroy its pool (F-1). So everything that the operation
// has checked still holds when it continues.
#pragma once

#include <type_traits>

#include "bast/coro/block.hpp"

namespace bast::inline BAST_ABI::internal {

class held {
 public:
  explicit held(coro_block& block) noexcept : block_(block), state_(state_of(block.tag)) {
    if (BAST_MUTANT(not_held)) return;
    block.tag = with_state(block.tag, coro_state::running);
  }
  // Keeps flags that were set meanwhile.
  ~held() { block_.tag = with_state(block_.tag, state_); }
  held(const held&) = delete;
  held& operator=(const held&) = delete;

 private:
  coro_block& block_;
  coro_state state_;
};

/// For types that run no user code.
struct not_needed {
  explicit not_needed(coro_block&) noexcept {}
};

template <bool RunsUserCode>
using held_if = std::conditional_t<RunsUserCode, held, not_needed>;

}  // namespace bast::inline BAST_ABI::internal
