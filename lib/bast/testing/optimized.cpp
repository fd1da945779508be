// SPDX-License-Identifier: Apache-2.0
#include "bast/testing/optimized.hpp"

namespace bast::test {

// Compiled with the library's options, not those of a test.
bool library_is_optimized() noexcept {
#if defined(__OPTIMIZE__)
  return true;
#else
  return false;
#endif
}

}  // namespace bast::test
