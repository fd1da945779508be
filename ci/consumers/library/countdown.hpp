// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bast/coro.hpp>
#include <bast/os.hpp>
#include <cstdint>
#include <typeinfo>

#define COUNTDOWN_EXPORT [[gnu::visibility("default")]]

/// What is one thing in the whole program, whichever object asks.
struct identities {
  const std::type_info* unwinding = &typeid(bast::forced_unwind);
  const std::type_info* error = &typeid(bast::error);
  const void* faults = &bast::os::internal::faults_armed;
  std::uintptr_t thread = bast::os::real_atomics::self();
  bool operator==(const identities&) const = default;
};
COUNTDOWN_EXPORT identities identities_in_library();

/// Thrown by the library, caught by the program.
struct COUNTDOWN_EXPORT too_far {
  int at;
};
/// Yields `from`, ..., 1 and then throws too_far. Sets `unwound` when its locals are destroyed.
COUNTDOWN_EXPORT bast::coro<int> countdown(bast::coro_pool& pool, int from, bool& unwound);
