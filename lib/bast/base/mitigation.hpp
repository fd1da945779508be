// SPDX-License-Identifier: Apache-2.0
//
// Hardening without #ifdef: each mitigation is a named constant, tested with `if constexpr` and
// documented with its threat. docs/hardening.md holds the table of threat, defence, cost and test.
#pragma once

#include <bast/config.hpp>
#include <cstddef>

namespace bast::inline BAST_ABI::mitigation {

/// True in builds configured with BAST_HARDENED.
inline constexpr bool hardened = BAST_HARDENED != 0;

/// Threat: a coroutine reads what an earlier one left on a recycled stack (keys, pointers).
/// Defence: the used part of every stack is zeroed at release.
inline constexpr bool zero_used_by_default = hardened;

/// Threat: a dangling pointer into a released stack finds the next coroutine's frames there.
/// Defence: a released stack waits in a FIFO behind this many others before reuse.
inline constexpr std::size_t quarantine_slots = hardened ? 64 : 0;

/// Threat: the same dangling pointer, used while the stack is quarantined.
/// Defence: a quarantined stack is inaccessible, so the access faults and is reported.
inline constexpr bool seal_quarantined = hardened;

}  // namespace bast::inline BAST_ABI::mitigation
