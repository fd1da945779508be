// SPDX-License-Identifier: Apache-2.0
//
// Finds the kind of guard that works on this kernel (decision D2). Accepting the advice proves
// nothing: qemu-user accepts MADV_GUARD_INSTALL and ignores it. So the probe guards a scratch page
// and makes the kernel write to it; only a refusal counts.
#pragma once

#include <bast/config.hpp>

#include "bast/base.hpp"
#include "bast/stack/options.hpp"

namespace bast::inline BAST_ABI {

/// True in builds with BAST_FORCE_PROTECTION_TIER, which behave as on a kernel without markers.
inline constexpr bool protection_is_forced = BAST_FORCE_PROTECTION_TIER != 0;

/// Probes now: true if guard markers work. Errors: no_memory (no scratch page).
[[nodiscard]] result<bool> probe_guard_markers() noexcept;

/// The tier that `wanted` means here: `automatic` becomes the result of the first successful probe.
/// Errors: `unsupported` if guard markers are demanded and do not work; no_memory. Never returns an
/// unguarded tier. Thread-safe.
[[nodiscard]] result<stack_tier> resolve_tier(stack_tier wanted) noexcept;

}  // namespace bast::inline BAST_ABI
