// SPDX-License-Identifier: Apache-2.0
//
// `emulated`: true when this program runs under qemu-user, which every build for a foreign CPU does
// (cmake/BastTests.cmake). It runs our code as it is, but it refuses mincore of inaccessible
// pages, does not serve RLIMIT_AS, and writes a line of its own when a signal kills the program.
#pragma once

#include <bast/config.hpp>

namespace bast::test {

#if BAST_EMULATED
inline constexpr bool emulated = true;
inline constexpr const char* killed_silently = "^qemu: uncaught target signal";
#else
inline constexpr bool emulated = false;
/// What a death test sees when the kernel ends the program and nobody says a word.
inline constexpr const char* killed_silently = "^$";
#endif

/// True in builds whose tests run under valgrind. It opens the stacks of coroutines as a whole, and
/// has its own opinion of signals and limits.
inline constexpr bool under_valgrind = BAST_WITH_VALGRIND != 0;

}  // namespace bast::test
