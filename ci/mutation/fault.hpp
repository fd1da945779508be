// SPDX-License-Identifier: Apache-2.0
//
// The run-time switch of ci/mutate, in front of every source of the rewritten tree (-include).
//
//   (bast_fault(17) ? (a <= b) : (a < b))
//
// The environment variable MUTATE_FAULT selects one fault before any other constructor runs.
// MUTATE_REACHED names a file of `bast_faults` bytes, shared with every process that inherits it:
// byte 17 becomes 1 when switch 17 is reached. Everything is inline, so that each program has one
// copy in any linkage. A switch only stores and compares: it may be in a signal handler and in a
// child that runs in its parent's memory. The variables do not begin with BAST_, because tests
// count those that do.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

inline constexpr int bast_faults = 1 << 16;
inline int bast_fault_chosen = -1;
inline unsigned char bast_fault_none[bast_faults];
inline unsigned char* bast_fault_reached = bast_fault_none;

inline void bast_fault_start() noexcept {
  if (bast_fault_chosen != -1) return;
  const char* const chosen = getenv("MUTATE_FAULT");
  bast_fault_chosen = chosen == nullptr ? 0 : atoi(chosen);
  const char* const file = getenv("MUTATE_REACHED");
  if (file == nullptr) return;
  const int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* const table = mmap(nullptr, bast_faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (table != MAP_FAILED) bast_fault_reached = static_cast<unsigned char*>(table);
}

// In each source, because nothing else is certain to be linked; the first call does the work.
[[gnu::constructor(101)]] static void bast_fault_construct() { bast_fault_start(); }

/// Outside of constexpr functions. A constant expression does not compile with it, so ci/mutate
/// learns that no switch is possible there.
[[gnu::no_instrument_function]] inline bool bast_fault(int number) noexcept {
  bast_fault_reached[number] = 1;
  return bast_fault_chosen == number;
}

/// Inside of constexpr functions: never a fault at compile time.
[[gnu::no_instrument_function]] constexpr bool bast_fault_constexpr(int number) noexcept {
  return !__builtin_is_constant_evaluated() && bast_fault(number);
}
