// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace bast::test {

/// Whether the library was compiled with optimisation. A unit test cannot tell by itself: it may
/// have options of its own (BAST_LIBRARY_OPTIONS in CMakeLists.txt).
bool library_is_optimized() noexcept;

}  // namespace bast::test
