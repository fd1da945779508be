// SPDX-License-Identifier: Apache-2.0
//
// Options and statistics of a pool of coroutines.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "bast/stack.hpp"

namespace bast::inline BAST_ABI {

/// Receives an exception that left a coroutine and was not taken (F-6). Called once for each, on
/// the pool's thread, from release. The default writes one line to standard error.
struct unhandled_sink {
#if BAST_EXCEPTIONS
  void (*take)(void* context, std::exception_ptr failure,
               const char* coroutine_name) noexcept = nullptr;
#endif
  void* context = nullptr;
};

struct coro_pool_options {
  stack_options stack = {};
  /// Maximum number of coroutines at one time, including ready ones.
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
  std::size_t running = 0;  // including those that have resumed others
  std::size_t suspended = 0;
  std::size_t finished = 0;
  std::size_t retired = 0;  // generation exhausted, never used again (F-3)
  std::size_t max = 0;
  std::uint64_t swallowed_unwinds = 0;  // coroutines that returned normally while unwound (F-10)
  std::uint64_t abandoned = 0;          // released without unwinding (F-12)
  std::uint64_t unhandled = 0;          // exceptions passed to the sink (F-6)
  stack_pool_stats stacks;
};

}  // namespace bast::inline BAST_ABI
