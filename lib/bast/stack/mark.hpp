// SPDX-License-Identifier: Apache-2.0
//
// Marks: the depth of a stack's use, read from its memory. A fresh page is zero, so no painting is
// needed. Zeroing the used part at release makes the stack fresh again and costs as much as was
// used (decision D4).
//
// Exact means: the deepest byte that is not zero. A frame that wrote only zeros below it is
// indistinguishable from one that wrote nothing.
#pragma once

#include <cstddef>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// The lowest byte of [low, high) that is not zero, or `high`. Both ends are multiples of 64.
const std::byte* first_nonzero(const std::byte* low, const std::byte* high) noexcept;

/// The lowest page of [low, high) that is resident, or `high`. Accesses no page, so it makes none
/// resident. If the kernel does not report residency, `low`: the caller then reads everything. A
/// page that was swapped out counts as untouched.
const std::byte* first_resident(const std::byte* low, const std::byte* high) noexcept;

}  // namespace bast::inline BAST_ABI
