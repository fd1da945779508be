// SPDX-License-Identifier: Apache-2.0
//
// For death tests of std::terminate, whose default output differs between C++ runtimes.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace bast::test {

/// From here on std::terminate prints "std::terminate was called" and ends this process.
inline void announce_terminate() {
  std::set_terminate([] {
    (void)std::fputs("std::terminate was called\n", stderr);
    std::abort();
  });
}

}  // namespace bast::test
