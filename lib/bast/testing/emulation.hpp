// SPDX-License-Identifier: Apache-2.0
//
// `emulated`: true when this program runs under qemu-user, as every build for a foreign CPU does
// (cmake/BastTests.cmake). qemu-user runs our code unchanged, but refuses mincore of inaccessible
// pages, ignores RLIMIT_AS, and prints its own line when a signal kills the program.
#pragma once

#include <bast/config.hpp>

namespace bast::test {

#if BAST_EMULATED
inline constexpr bool emulated = true;
inline constexpr const char* killed_silently = "^qemu: uncaught target signal";
#else
inline constexpr bool emulated = false;
/// The output of a death test when the kernel ends the program without a diagnostic.
inline constexpr const char* killed_silently = "^$";
#endif

/// True in builds whose tests run under valgrind. Such builds open coroutine stacks completely;
/// valgrind handles signals and limits in its own way.
inline constexpr bool under_valgrind = BAST_WITH_VALGRIND != 0;

}  // namespace bast::test
