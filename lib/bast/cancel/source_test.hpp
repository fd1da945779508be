// SPDX-License-Identifier: Apache-2.0
//
// Shared helpers of this layer's tests.
#pragma once

#include "bast/cancel.hpp"

namespace bast::test {

/// A separate tree.
inline cancel_source root_source() { return cancel_source::create().value(); }

/// `seconds` after the clock's origin.
inline time_point at_second(int seconds) { return time_point(std::chrono::seconds(seconds)); }

}  // namespace bast::test
