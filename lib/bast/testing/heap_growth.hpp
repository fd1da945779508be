// SPDX-License-Identifier: Apache-2.0
//
// Detects leaks: after many repetitions the heap is as large as after a few.
//
//   EXPECT_LT(test::heap_growth_of([] { (void)make(); }), test::heap_caches);
#pragma once

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstddef>

#include "bast/testing/baseline.hpp"

namespace bast::test {

/// Bytes of the heap in use. 0 under a sanitizer with its own heap and leak check.
inline std::size_t heap_in_use() {
#ifdef __GLIBC__
  if (process_counts::now().mappings != 0) return ::mallinfo2().uordblks;
#endif
  return 0;
}

/// The growth of the heap over a thousand calls, after the first ones, which fill its caches.
template <class F>
std::size_t heap_growth_of(F life) {
  for (int i = 0; i < 100; ++i) life();
  const std::size_t before = heap_in_use();
  for (int i = 0; i < 1000; ++i) life();
  const std::size_t after = heap_in_use();
  return after > before ? after - before : 0;
}

// Less than a byte per call: a leak is larger.
inline constexpr std::size_t heap_caches = 1000;

}  // namespace bast::test
