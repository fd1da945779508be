// SPDX-License-Identifier: Apache-2.0
//
// What the tests of this layer begin with.
#pragma once

#include "bast/cancel.hpp"

namespace bast::test {

/// A tree of its own.
inline cancel_source root_source() { return cancel_source::create().value(); }

/// So many seconds after the clock's origin.
inline time_point at_second(int seconds) { return time_point(std::chrono::seconds(seconds)); }

}  // namespace bast::test
