// SPDX-License-Identifier: Apache-2.0
//
// Short names for litmus tests, which consist mostly of orders and atomics.
#pragma once

#include <atomic>

#include "interleave/model_atomics.hpp"

namespace bast::interleave {

using std::memory_order;
using enum std::memory_order;

template <class T>
using atomic = model_atomics::atomic<T>;
template <class T>
using plain = model_atomics::plain<T>;

}  // namespace bast::interleave
