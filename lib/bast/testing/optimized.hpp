// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace bast::test {

/// Whether the library was compiled with optimisation. A unit test may have other options
/// (BAST_LIBRARY_OPTIONS in CMakeLists.txt).
bool library_is_optimized() noexcept;

}  // namespace bast::test
