// SPDX-License-Identifier: Apache-2.0
//
// What a user chooses about a pool of coroutines, and what the pool tells about itself.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "bast/stack.hpp"

namespace bast::inline BAST_ABI {

/// Where an exception goes that left a coroutine and that nobody took (F-6). Called once for each,
/// on the pool's thread, from release. The default writes one line to standard error.
struct unhandled_sink {
#if BAST_EXCEPTIONS
  void (*take)(void* context, std::exception_ptr failure,
               const char* coroutine_name) noexcept = nullptr;
#endif
  void* context = nullptr;
};

struct coro_pool_options {
  stack_options stack = {};
  /// Coroutines at one time, ready ones included.
  std::size_t max_coros = std::size_t{1} << 26;
  /// Save and restore rounding mode, exception masks and flush-to-zero at each switch. Costs about
  /// four plain switches; needed only by code that changes them and suspends.
  bool own_float_control = false;
  unhandled_sink unhandled = {};
};

struct coro_pool_stats {
  std::size_t created = 0;  // control blocks: the sum of the six below (F-15)
  std::size_t free = 0;
  std::size_t ready = 0;
  std::size_t running = 0;  // resumed and not back yet, those that resumed others included
  std::size_t suspended = 0;
  std::size_t finished = 0;
  std::size_t retired = 0;  // generation exhausted, never used again (F-3)
  std::size_t max = 0;
  std::uint64_t swallowed_unwinds = 0;  // coroutines that returned normally while unwound (F-10)
  std::uint64_t abandoned = 0;          // released without unwinding (F-12)
  std::uint64_t unhandled = 0;          // exceptions given to the sink (F-6)
  stack_pool_stats stacks;
};

}  // namespace bast::inline BAST_ABI
